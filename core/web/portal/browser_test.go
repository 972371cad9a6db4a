package portal_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// browser opens a headless Chromium for the test; without one the test is skipped.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("SKIPPED: there is no Chromium; the page is not looked at in a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("force-prefers-reduced-motion", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(end)
	return ctx
}

// open opens a page in a width, a scheme, and with or without JavaScript. Nothing may stick out of the window.
func open(t *testing.T, ctx context.Context, link string, width int64, scheme string, script bool) {
	t.Helper()
	media := func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		if err == nil {
			_, err = cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !script})
		}
		return err
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Func(media), chromedp.Navigate(link)); err != nil {
		t.Fatal(err)
	}
	overflow, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.documentElement.scrollWidth > innerWidth"))
	if err != nil || overflow {
		t.Errorf("%d pixels are not wide enough: %v", width, err)
	}
}

// picture keeps what the browser shows in the folder WAYBILL_SCREENSHOTS, for people to look at.
func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if len(png) == 0 {
		t.Error("nothing is shown")
	}
	if dir := os.Getenv("WAYBILL_SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInBrowser(t *testing.T) {
	h := serve(t)
	scans(h)
	link := tracker(t, h, "7709-001", map[string]any{"groupId": "g", "itemList": []any{map[string]any{"sku": "1", "title": "Espresso beans, 1 kg", "quantity": 2}}})
	poll(t, h, "7709-001")
	ctx := browser(t)
	for name, c := range map[string]struct {
		width  int64
		scheme string
		script bool
	}{
		"narrow-light": {390, "light", true}, "wide-light": {1280, "light", true}, "narrow-dark": {390, "dark", false}, "wide-dark": {1280, "dark", false},
	} {
		open(t, ctx, link, c.width, c.scheme, c.script)
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Out for delivery", "Espresso beans", "Call Joe"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
		if got := strings.Contains(text, "Reload"); got == c.script {
			t.Errorf("%s: it says that it must be reloaded: %v", name, got)
		}
		picture(t, ctx, name)
	}
	live(t, ctx, h, link)
}

// live sets a status while the page is open: it shows it without being loaded again.
func live(t *testing.T, ctx context.Context, h *apitest.Harness, link string) {
	open(t, ctx, link, 390, "light", true)
	set, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("window.stillHere = true"))
	if err != nil || !set {
		t.Fatal(err)
	}
	h.Do("POST", "/trackers/7709-001/status", `{"status":"ORDER_DELIVERED","attachments":[{"type":"photo","url":"https://x.example/p.jpg","contentType":"image/jpeg"}]}`).Want(200)
	for headline := ""; headline != "Delivered"; {
		h.Clock.Advance(time.Second)
		if headline, err = chromedp.Run(ctx, chromedp.Evaluate[string]("document.querySelector('h1').innerText")); err != nil {
			t.Fatalf("%v; it shows %q", err, headline)
		}
	}
	said, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String(window.stillHere) + ' ' + document.getElementById('announce').textContent"))
	if err != nil || said != "true Delivered" {
		t.Errorf("the same page, and who does not see is told: %q, %v", said, err)
	}
	picture(t, ctx, "delivered")
}
