package console_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

type step = chromedp.Action[chromedp.Void]

// tab is a tab of a headless Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func browser(t *testing.T) *tab {
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
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(found), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("close the browser: %v", err)
		}
		closeTab()
	})
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of its first use
		t.Fatal(err)
	}
	bounded, cancel := context.WithTimeout(ctx, 40*time.Second) // a page that never gets there fails the test
	t.Cleanup(cancel)
	return &tab{t, bounded}
}

func (b *tab) do(steps ...step) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		shown, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		b.t.Fatalf("%v; the page shows\n%s", err, shown)
	}
}

// read computes an expression of the page.
func read[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

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

func scheme(name string) step {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
		return err
	})
}

func script(text string) step { return chromedp.Evaluate[chromedp.Void](text) }

// until waits for an expression of the page to become true.
func until(expression string) step {
	return chromedp.Evaluate[chromedp.Void](`new Promise((done) => { const look = () => (`+expression+`) ? done() : requestAnimationFrame(look); look(); })`, chromedp.EvalAwaitPromise)
}

// edit changes text in the editor as typing does.
func edit(old, text string) step {
	return script(`(() => { const t = document.getElementById("text"), old = ` + strconv.Quote(old) + `, at = t.value.indexOf(old);
		if (at < 0) throw new Error("not in the editor");
		t.focus(); t.setSelectionRange(at, at + old.length); document.execCommand("insertText", false, ` + strconv.Quote(text) + `); })()`)
}

// choose picks the order whose text begins so.
func choose(order string) step {
	return script(`(() => { const o = document.getElementById("order"); o.value = [...o.options].find((x) => x.textContent.startsWith(` + strconv.Quote(order) +
		`)).value; o.dispatchEvent(new Event("change")); })()`)
}

func says(text string) step {
	return until(`document.getElementById("verdict").textContent.includes(` + strconv.Quote(text) + `)`)
}

func login(s *site) step {
	return chromedp.Steps(chromedp.Navigate(s.URL+"/console/rules"), chromedp.SendKeys(chromedp.CSS("#key"), s.Key+"\n"), says("doordash"))
}

// TestTheEditorTellsAndDecides types a mistake, sees where it is, mends it by the suggestion, and sees another decision after another edit.
func TestTheEditorTellsAndDecides(t *testing.T) {
	b, s := browser(t), open(t)
	s.Do("POST", "/shipments", order).Want(http.StatusCreated)
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(s.URL+"/console/rules"), chromedp.WaitVisible(chromedp.CSS("#key")), picture("key"),
		chromedp.SendKeys(chromedp.CSS("#key"), "wrong\n"), until(`document.getElementById("refused").textContent.includes("not known")`))
	b.do(login(s), picture("good-light"))
	if live := read[string](b, `document.getElementById("live").textContent`); !strings.Contains(live, "Watch shop, 1 rule,") {
		t.Errorf("the live rules are %q", live)
	}

	b.do(edit("order.weight", "order.wieght"), until(`document.querySelectorAll("#problems li.E").length === 1`), picture("mistake-light"), scheme("dark"), picture("mistake-dark"), scheme("light"))
	if squiggle := read[string](b, `document.querySelector("#marks .E").textContent`); squiggle != "wieght" {
		t.Errorf("the squiggle is under %q", squiggle)
	}
	b.do(chromedp.Click(chromedp.CSS("#problems .place")))
	if selected := read[string](b, `(() => { const t = document.getElementById("text"); return t.value.slice(t.selectionStart, t.selectionEnd); })()`); selected != "wieght" {
		t.Errorf("the place selects %q", selected)
	}
	b.do(chromedp.Click(chromedp.CSS("#problems li .quiet")), // did you mean weight?
		until(`document.getElementById("count").textContent === "none" && !document.querySelector("#marks .E")`))

	b.do(choose("heavy"), says("ups ground"), script(`document.querySelectorAll("#result details").forEach((d, i) => { d.open = i < 3; })`), picture("decision-light"),
		edit("lb(60)", "lb(80)"), says("doordash"), until(`document.getElementById("result").textContent.includes("1 of 2 tests fail")`), scheme("dark"), picture("decision-dark"))

	b.do(chromedp.EmulateViewport(390, 844), picture("narrow-dark"), scheme("light"), picture("narrow-light"))
	if read[bool](b, `document.documentElement.scrollWidth > document.documentElement.clientWidth`) {
		t.Error("the page is wider than a phone")
	}
	b.do(chromedp.EmulateViewport(1280, 900), choose("stored-1"), says("ecided then"), picture("stored-light"))
	b.do(script(`(() => { const f = document.getElementById("folder"); f.selectedIndex = 3; f.dispatchEvent(new Event("change")); })()`),
		until(`document.getElementById("result").textContent.includes("tests pass")`), picture("example-light"))
}

// TestThePageWorksByKeyboard goes from the files to the editor without a mouse, and asks whether everything has a name.
func TestThePageWorksByKeyboard(t *testing.T) {
	b, s := browser(t), open(t)
	b.do(login(s), chromedp.Focus(chromedp.CSS("#tab-0")), chromedp.KeyEvent(kb.ArrowRight),
		until(`document.activeElement.id === "tab-1" && document.getElementById("text").value.startsWith("tests: 1")`), chromedp.KeyEvent(kb.Tab))
	if label := read[string](b, `document.activeElement.getAttribute("aria-label")`); label != "shop.test.yaml" {
		t.Errorf("the key Tab leads from the tabs to %q", label)
	}
	if !read[bool](b, `document.getElementById("tab-1").getAttribute("aria-selected") === "true" && document.getElementById("tab-0").tabIndex === -1`) {
		t.Error("the second tab is not the selected one")
	}
	if nameless := read[string](b, `[...document.querySelectorAll("button, select, textarea, input, summary, pre[tabindex]")].filter((e) =>
		!e.textContent.trim() && !e.getAttribute("aria-label") && !e.labels?.length).map((e) => e.outerHTML).join(" ")`); nameless != "" {
		t.Errorf("no name has %s", nameless)
	}
}
