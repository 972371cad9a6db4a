package usecase_test

import (
	"os/exec"
	"testing"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/usecase"
)

// TestAnArgumentIsOneWord of a shell's, whatever an order is called.
func TestAnArgumentIsOneWord(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh to read the words")
	}
	for _, word := range []string{"7709-001", "a b", "it's", "$(id)", "`id`", `\`, `"`, "", "é#1", "*", "~", "a;b", "o&o", "!", "10%"} {
		out, err := exec.Command("sh", "-c", "printf %s. "+usecase.Argument(word)).Output()
		if err != nil || string(out) != word+"." {
			t.Errorf("%q is read as %q, %v", word, out, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-zA-Z0-9_.,:/@%+=-]+`).Draw(t, "word")
		if usecase.Argument(word) != word {
			t.Fatalf("%q is quoted for nothing", word)
		}
	})
}

func TestCommands(t *testing.T) {
	for got, want := range map[string]string{
		usecase.CancelCommand("o 1", ""):       "waybill shipments cancel 'o 1'",
		usecase.CancelCommand("o1", "1Z"):      "waybill shipments cancel o1 --confirm-number 1Z",
		usecase.ResolveCommand("o1", 2, ""):    "waybill shipments resolve o1 --attempt 2 --outcome absent, or --outcome booked --tracking NUMBER",
		usecase.ResolveCommand("o1", 2, "1Z"):  "waybill shipments resolve o1 --attempt 2 --outcome absent, or --outcome booked --tracking 1Z",
		usecase.WithdrawCommand("o1", 2, "1Z"): "waybill shipments resolve o1 --attempt 2 --withdraw 1Z --reason WHY --outcome absent, or --outcome booked --tracking NUMBER",
		usecase.SpareCommand("o1", 2, "1Z 2"):  "waybill shipments resolve o1 --attempt 2 --outcome spare --tracking '1Z 2'",
		usecase.RetryCommand("o1"):             "waybill shipments retry o1",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
