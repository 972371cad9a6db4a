package console_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/waybill-dev/waybill/core/web/webtest"
)

// edit changes text in the editor as typing does.
func edit(old, text string) webtest.Step {
	return webtest.Script(`(() => { const t = document.getElementById("text"), old = ` + strconv.Quote(old) + `, at = t.value.indexOf(old);
		if (at < 0) throw new Error("not in the editor");
		t.focus(); t.setSelectionRange(at, at + old.length); document.execCommand("insertText", false, ` + strconv.Quote(text) + `); })()`)
}

// choose picks the order whose text begins so.
func choose(order string) webtest.Step {
	return webtest.Script(`(() => { const o = document.getElementById("order"); o.value = [...o.options].find((x) => x.textContent.startsWith(` + strconv.Quote(order) +
		`)).value; o.dispatchEvent(new Event("change")); })()`)
}

func says(text string) webtest.Step {
	return webtest.Until(`document.getElementById("verdict").textContent.includes(` + strconv.Quote(text) + `)`)
}

func login(s *site) webtest.Step {
	return chromedp.Steps(chromedp.Navigate(s.URL+"/console/rules"), chromedp.SendKeys(chromedp.CSS("#key"), s.Key+"\n"), says("doordash"))
}

func TestInABrowser(t *testing.T) {
	b := webtest.Open(t)
	t.Run("the editor tells and decides", func(t *testing.T) { theEditorTellsAndDecides(t, b.Tab(t)) })
	t.Run("the page works by keyboard", func(t *testing.T) { thePageWorksByKeyboard(t, b.Tab(t)) })
}

// theEditorTellsAndDecides types a mistake, sees where it is, mends it by the suggestion, and sees another decision after another edit.
func theEditorTellsAndDecides(t *testing.T, b *webtest.Tab) {
	s := open(t)
	s.Do("POST", "/shipments", order).Want(http.StatusCreated)
	b.Do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(s.URL+"/console/rules"), chromedp.WaitVisible(chromedp.CSS("#key")), webtest.Picture("key"),
		chromedp.SendKeys(chromedp.CSS("#key"), "wrong\n"), webtest.Until(`document.getElementById("refused").textContent.includes("not known")`))
	b.Do(login(s), webtest.Picture("good-light"))
	if live := webtest.Read[string](b, `document.getElementById("live").textContent`); !strings.Contains(live, "Watch shop, 1 rule,") {
		t.Errorf("the live rules are %q", live)
	}

	b.Do(edit("order.weight", "order.wieght"), webtest.Until(`document.querySelectorAll("#problems li.E").length === 1`), webtest.Picture("mistake-light"), webtest.Scheme("dark"), webtest.Picture("mistake-dark"), webtest.Scheme("light"))
	if squiggle := webtest.Read[string](b, `document.querySelector("#marks .E").textContent`); squiggle != "wieght" {
		t.Errorf("the squiggle is under %q", squiggle)
	}
	b.Do(chromedp.Click(chromedp.CSS("#problems .place")))
	if selected := webtest.Read[string](b, `(() => { const t = document.getElementById("text"); return t.value.slice(t.selectionStart, t.selectionEnd); })()`); selected != "wieght" {
		t.Errorf("the place selects %q", selected)
	}
	b.Do(chromedp.Click(chromedp.CSS("#problems li .quiet")), // did you mean weight?
		webtest.Until(`document.getElementById("count").textContent === "none" && !document.querySelector("#marks .E")`))

	b.Do(choose("heavy"), says("ups ground"), webtest.Script(`document.querySelectorAll("#result details").forEach((d, i) => { d.open = i < 3; })`), webtest.Picture("decision-light"),
		edit("lb(60)", "lb(80)"), says("doordash"), webtest.Until(`document.getElementById("result").textContent.includes("1 of 2 tests fail")`), webtest.Scheme("dark"), webtest.Picture("decision-dark"))

	b.Do(chromedp.EmulateViewport(390, 844), webtest.Picture("narrow-dark"), webtest.Scheme("light"), webtest.Picture("narrow-light"))
	b.Fits("on a phone")
	b.Do(chromedp.EmulateViewport(1280, 900), choose("stored-1"), says("ecided then"), webtest.Picture("stored-light"))
	b.Do(webtest.Script(`(() => { const f = document.getElementById("folder"); f.selectedIndex = 3; f.dispatchEvent(new Event("change")); })()`),
		webtest.Until(`document.getElementById("result").textContent.includes("tests pass")`), webtest.Picture("example-light"))
}

// thePageWorksByKeyboard goes from the files to the editor without a mouse, and asks whether everything has a name.
func thePageWorksByKeyboard(t *testing.T, b *webtest.Tab) {
	s := open(t)
	b.Do(login(s), chromedp.Focus(chromedp.CSS("#tab-0")), chromedp.KeyEvent(kb.ArrowRight),
		webtest.Until(`document.activeElement.id === "tab-1" && document.getElementById("text").value.startsWith("tests: 1")`), chromedp.KeyEvent(kb.Tab))
	if label := webtest.Read[string](b, `document.activeElement.getAttribute("aria-label")`); label != "shop.test.yaml" {
		t.Errorf("the key Tab leads from the tabs to %q", label)
	}
	if !webtest.Read[bool](b, `document.getElementById("tab-1").getAttribute("aria-selected") === "true" && document.getElementById("tab-0").tabIndex === -1`) {
		t.Error("the second tab is not the selected one")
	}
	if nameless := webtest.Read[string](b, `[...document.querySelectorAll("button, select, textarea, input, summary, pre[tabindex]")].filter((e) =>
		!e.textContent.trim() && !e.getAttribute("aria-label") && !e.labels?.length).map((e) => e.outerHTML).join(" ")`); nameless != "" {
		t.Errorf("no name has %s", nameless)
	}
}
