package returns_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/waybill-dev/waybill/core/web/webtest"
)

// TestInABrowser sends something back as a buyer does, by keyboard and mouse: first wrongly, then rightly, wide and narrow.
func TestInABrowser(t *testing.T) {
	s := newShop(t)
	page := s.delivered("o")
	b := webtest.Open(t).Tab(t)
	choose := func(id, value string) webtest.Step {
		return webtest.Script(`document.getElementById("` + id + `").value = "` + value + `"`)
	}
	press := func(button string) webtest.Step { return chromedp.Click(chromedp.CSS(button)) }
	shows := func(selector string) webtest.Step { return chromedp.WaitVisible(chromedp.CSS(selector)) }
	b.Do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(page), shows("#items"), webtest.Picture("form-wide"), press("form .strong"), shows("#items-fault"), webtest.Picture("faults-wide"))
	b.Do(chromedp.EmulateViewport(320, 640), webtest.Picture("faults-narrow"))
	b.Fits("faults")
	b.Do(choose("quantity-1", "1"), choose("reason", "too_small"), chromedp.Click(chromedp.CSS("#type-exchange")), chromedp.Click(chromedp.CSS("summary")),
		chromedp.SendKeys(chromedp.CSS("#wish-1"), "The large one"), chromedp.SendKeys(chromedp.CSS("#note"), "Thank you\nvery much"), webtest.Picture("form-narrow"))
	b.Fits("form")
	b.Do(press("form .strong"), shows("button[value=book]"), webtest.Picture("review-narrow"))
	b.Fits("review")
	b.Do(press("button[value=book]"), shows(".back .done"), chromedp.Evaluate[chromedp.Void](
		`new Promise((done) => { const i = document.querySelector(".code img"); i.complete ? done() : i.onload = done; })`, chromedp.EvalAwaitPromise), webtest.Picture("done-narrow"))
	b.Fits("done")
	b.Do(chromedp.EmulateViewport(1280, 900), webtest.Picture("done-wide"))
	if width := webtest.Read[int](b, `document.querySelector(".code img").naturalWidth`); width == 0 {
		t.Error("the code is not shown")
	}
	if back := s.returnsOf("o"); len(back) != 1 || back[0].ReturnOf.Note != "Thank you\nvery much" || back[0].ReturnOf.Exchange[0].Title != "The large one" {
		t.Errorf("the returns are %+v", back)
	}
}
