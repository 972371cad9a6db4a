// Package webtest opens pages in a headless Chromium, for the tests of the packages beside it. Where there is no Chromium, such a test
// is skipped aloud.
package webtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long a browser may take to start, and a tab to get where its test wants it. It only ends what would never end: on a
// machine that is busy with other things everything here takes long.
const patience = 3 * time.Minute

// Step is one thing to do in a tab.
type Step = chromedp.Action[chromedp.Void]

// Browser is a Chromium that ends with its test.
type Browser struct{ ctx context.Context }

// Open starts the browser of a test.
func Open(t *testing.T) *Browser {
	t.Helper()
	found := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			found = path
			break
		}
	}
	if found == "" {
		t.Skip("SKIPPED, THE PAGE WAS NOT OPENED: there is no chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(found), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(patience), chromedp.Flag("force-prefers-reduced-motion", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits until it has ended
			t.Errorf("close the browser: %v", err)
		}
		closeTab()
	})
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of its first use
		t.Fatal(err)
	}
	return &Browser{ctx}
}

// Tab opens a tab that has nothing in common with others of the browser, and is closed with the test.
func (b *Browser) Tab(t *testing.T) *Tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("close the tab: %v", err)
		}
		closeTab()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	return &Tab{t, bounded}
}

// Tab is a tab of a browser. What goes wrong in it ends its test.
type Tab struct {
	t   *testing.T
	ctx context.Context
}

// Do takes steps one after the other.
func (b *Tab) Do(steps ...Step) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		shown, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		b.t.Fatalf("%v; the page shows\n%s", err, shown)
	}
}

// Read computes an expression of the page.
func Read[T any](b *Tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Fits requires that nothing sticks out of the window.
func (b *Tab) Fits(what string) {
	b.t.Helper()
	if over := Read[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		b.t.Errorf("%s: the page is %d pixels wider than the window", what, over)
	}
}

// Script runs a script in the page.
func Script(text string) Step { return chromedp.Evaluate[chromedp.Void](text) }

// Until waits for an expression of the page to become true.
func Until(expression string) Step {
	return chromedp.Evaluate[chromedp.Void](`new Promise((done) => { const look = () => (`+expression+`) ? done() : setTimeout(look, 10); look(); })`, chromedp.EvalAwaitPromise)
}

// Scheme makes the browser prefer colours: "light" or "dark".
func Scheme(name string) Step {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
		return err
	})
}

// Scripts lets pages run scripts, or not.
func Scripts(run bool) Step {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !run})
		return err
	})
}

// Picture writes a screenshot for a person to look at, where WAYBILL_SCREENSHOTS names a folder.
func Picture(name string) Step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		dir := os.Getenv("WAYBILL_SCREENSHOTS")
		if dir == "" {
			return nil
		}
		png, err := chromedp.FullScreenshot(100)(ctx, t)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600)
	})
}
