package carrierhost

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// veil hides what accounts have from the environment or from files in their URLs (config.Account.Hidden). Of secrets that are members of
// their own an adapter itself keeps exchanges clean, by its configuration's type; that part of a URL is one, it cannot know. The zero
// value hides nothing.
type veil struct {
	forms []string // the longest first
}

// shortest is how long, in bytes, a text must be to be looked for in others: shorter ones stand in many words.
const shortest = 4

// over returns a veil that hides what v hides and what is hidden of an account.
func (v veil) over(hidden config.Secret) veil {
	if hidden == "" {
		return v
	}
	forms := slices.Clone(v.forms)
	texts := strings.Split(hidden.Reveal(), "\n")
	for _, text := range slices.Clone(texts) { // a carrier may say which part of a path it does not know
		texts = append(texts, slices.DeleteFunc(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("/?#&=", r) }), isWord)...)
	}
	for _, text := range texts {
		plain, err := url.PathUnescape(text)
		if err != nil {
			plain = text
		}
		inJSON, _ := json.Marshal(plain) // a string always marshals
		inPath := strings.TrimPrefix((&url.URL{Path: "/" + plain}).EscapedPath(), "/")
		forms = append(forms, text, path.Clean(text), plain, inPath, url.PathEscape(plain), url.QueryEscape(plain), string(inJSON[1:len(inJSON)-1]))
	}
	forms = slices.DeleteFunc(forms, func(f string) bool { return len(f) < shortest })
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return veil{slices.Compact(forms)}
}

// longestWord is how long, in bytes, a part of a path may be that is taken for a word.
const longestWord = 15

// isWord reports whether a part of a path is one of the words that stand in paths, such as api, rest or shipments: to hide it alone would hide it
// in much that is no path.
func isWord(part string) bool {
	return len(part) <= longestWord && strings.Trim(part, "abcdefghijklmnopqrstuvwxyz-_.") == ""
}

// text is s without what is hidden.
func (v veil) text(s string) string {
	for _, f := range v.forms {
		s = strings.ReplaceAll(s, f, "REDACTED")
	}
	return s
}

// tail is a text that was cut off, without the beginning of what is hidden at its end.
func (v veil) tail(s string) string {
	for _, f := range v.forms {
		for n := len(f) - 1; n >= shortest; n-- {
			if before, ok := strings.CutSuffix(s, f[:n]); ok {
				return before + "REDACTED"
			}
		}
	}
	return s
}

// exchange hides in what was exchanged with a carrier.
func (v veil) exchange(x carrier.Exchange) carrier.Exchange {
	if x.Truncated {
		x.RequestBody, x.ResponseBody = v.tail(x.RequestBody), v.tail(x.ResponseBody)
	}
	for _, s := range []*string{&x.URL, &x.RequestBody, &x.ResponseBody, &x.Error} {
		*s = v.text(*s)
	}
	for _, h := range []*map[string]string{&x.RequestHeader, &x.ResponseHeader} {
		*h = maps.Clone(*h)
		for name, value := range *h {
			(*h)[name] = v.text(value)
		}
	}
	return x
}

// failure hides in the error of a call. A cause that holds nothing hidden stays as it is.
func (v veil) failure(e *carrier.Error) *carrier.Error {
	if e == nil || len(v.forms) == 0 {
		return e
	}
	out := *e
	for _, s := range []*string{&out.Message, &out.CarrierCode, &out.CarrierMessage, &out.Field} {
		*s = v.text(*s)
	}
	if out.Err != nil {
		if said := out.Err.Error(); v.text(said) != said {
			out.Err = errors.New(v.text(said))
		}
	}
	return &out
}

// refusals hides in why a carrier does not offer services.
func (v veil) refusals(all []shipping.Refusal) {
	for i := range all {
		all[i].Message = v.text(all[i].Message)
	}
}

// behind makes a call and hides in all that is recorded of it and in its error.
func behind[R any](ctx context.Context, v veil, do func(context.Context) (R, error)) (R, error) {
	if len(v.forms) == 0 {
		return do(ctx)
	}
	outer := carrier.TraceOf(ctx)
	ctx, trace := carrier.WithTrace(ctx)
	answer, err := do(ctx)
	xs, dropped := trace.Exchanges()
	for i := range xs {
		xs[i] = v.exchange(xs[i])
	}
	outer.Add(xs...)
	outer.Drop(dropped)
	if err != nil {
		return answer, v.failure(carrier.AsError(err))
	}
	return answer, nil
}

// veiledLog hides in what is logged about adapters and by them, with the veil of the moment.
type veiledLog struct {
	hclog.Logger
	veil *atomic.Pointer[veil]
}

func (l veiledLog) Named(name string) hclog.Logger { return veiledLog{l.Logger.Named(name), l.veil} }
func (l veiledLog) ResetNamed(name string) hclog.Logger {
	return veiledLog{l.Logger.ResetNamed(name), l.veil}
}
func (l veiledLog) With(args ...any) hclog.Logger {
	return veiledLog{l.Logger.With(l.args(args)...), l.veil}
}

// Log and the methods after it implement hclog.Logger.
func (l veiledLog) Log(level hclog.Level, msg string, args ...any) {
	l.Logger.Log(level, l.msg(msg), l.args(args)...)
}
func (l veiledLog) Trace(msg string, args ...any) { l.Logger.Trace(l.msg(msg), l.args(args)...) }
func (l veiledLog) Debug(msg string, args ...any) { l.Logger.Debug(l.msg(msg), l.args(args)...) }
func (l veiledLog) Info(msg string, args ...any)  { l.Logger.Info(l.msg(msg), l.args(args)...) }
func (l veiledLog) Warn(msg string, args ...any)  { l.Logger.Warn(l.msg(msg), l.args(args)...) }
func (l veiledLog) Error(msg string, args ...any) { l.Logger.Error(l.msg(msg), l.args(args)...) }

func (l veiledLog) msg(s string) string { return l.veil.Load().text(s) }

func (l veiledLog) args(args []any) []any {
	v := l.veil.Load()
	if len(v.forms) == 0 {
		return args
	}
	out := slices.Clone(args)
	for i, a := range out {
		if said := fmt.Sprint(a); v.text(said) != said {
			out[i] = v.text(said)
		}
	}
	return out
}
