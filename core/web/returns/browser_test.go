package returns_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

type step = chromedp.Action[chromedp.Void]

// picture writes a screenshot for a person to look at, where WAYBILL_SCREENSHOTS names a folder.
func picture(name string) step {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		dir := os.Getenv("WAYBILL_SCREENSHOTS")
		if dir == "" {
			return chromedp.Void{}, nil
		}
		png, err := chromedp.FullScreenshot(100)(ctx, t)
		if err != nil {
			return chromedp.Void{}, err
		}
		return chromedp.Void{}, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600)
	}
}

// TestInABrowser sends something back as a buyer does, by keyboard and mouse: first wrongly, then rightly, wide and narrow.
func TestInABrowser(t *testing.T) {
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
	s := newShop(t)
	page := s.delivered("o")
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(found), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	ctx, closeTab := chromedp.NewContext(allocator)
	defer closeTab()
	defer func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("close the browser: %v", err)
		}
	}()
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of its first use
		t.Fatal(err)
	}
	bounded, cancel := context.WithTimeout(ctx, 40*time.Second) // a page that never gets there fails the test
	defer cancel()
	do := func(steps ...step) {
		t.Helper()
		if err := chromedp.Do(bounded, steps...); err != nil {
			shown, _ := chromedp.Run(bounded, chromedp.Evaluate[string](`document.body.innerText`))
			t.Fatalf("%v; the page shows\n%s", err, shown)
		}
	}
	fits := func(what string) {
		t.Helper()
		over, err := chromedp.Run(bounded, chromedp.Evaluate[int](`document.documentElement.scrollWidth - innerWidth`))
		if err != nil || over > 0 {
			t.Errorf("%s: the page is %d pixels wider than the window (%v)", what, over, err)
		}
	}
	choose := func(id, value string) step {
		return chromedp.Evaluate[chromedp.Void](`document.getElementById("` + id + `").value = "` + value + `"`)
	}
	press := func(button string) step { return chromedp.Click(chromedp.CSS(button)) }
	shows := func(selector string) step { return chromedp.WaitVisible(chromedp.CSS(selector)) }
	do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(page), shows("#items"), picture("form-wide"), press("form .strong"), shows("#items-fault"), picture("faults-wide"))
	do(chromedp.EmulateViewport(320, 640), picture("faults-narrow"))
	fits("faults")
	do(choose("quantity-1", "1"), choose("reason", "too_small"), chromedp.Click(chromedp.CSS("#type-exchange")), chromedp.Click(chromedp.CSS("summary")),
		chromedp.SendKeys(chromedp.CSS("#wish-1"), "The large one"), chromedp.SendKeys(chromedp.CSS("#note"), "Thank you\nvery much"), picture("form-narrow"))
	fits("form")
	do(press("form .strong"), shows("button[value=book]"), picture("review-narrow"))
	fits("review")
	do(press("button[value=book]"), shows(".back .done"), chromedp.Evaluate[chromedp.Void](
		`new Promise((done) => { const i = document.querySelector(".code img"); i.complete ? done() : i.onload = done; })`, chromedp.EvalAwaitPromise), picture("done-narrow"))
	fits("done")
	do(chromedp.EmulateViewport(1280, 900), picture("done-wide"))
	width, err := chromedp.Run(bounded, chromedp.Evaluate[int](`document.querySelector(".code img").naturalWidth`))
	if err != nil || width == 0 {
		t.Errorf("the code is not shown: %d, %v", width, err)
	}
	if back := s.returnsOf("o"); len(back) != 1 || back[0].ReturnOf.Note != "Thank you\nvery much" || back[0].ReturnOf.Exchange[0].Title != "The large one" {
		t.Errorf("the returns are %+v", back)
	}
}
