package httpapi

import (
	"net/http"
	"strings"

	"github.com/waybill-dev/waybill/core/usecase"
)

// Dialect is how a surface that follows somebody else's API says what all surfaces have to say.
type Dialect struct {
	// Table says which HTTP status a refusal has where the route's own table does not.
	Table Table
	// Key finds the key of a request; an error refuses it. "" is refused as no key.
	Key func(*http.Request) (string, error)
	// Refuse words a refusal that is answered with status. Its Status and Header are not looked at.
	Refuse func(q *Request, status int, e *usecase.Error) Answer
	// TellLimits adds the RateLimit headers to every answer to a key.
	TellLimits bool
}

// house is our own dialect.
var house = &Dialect{
	Key: func(q *http.Request) (string, error) { return KeyText(q), nil },
	Refuse: func(q *Request, _ int, e *usecase.Error) Answer {
		return Answer{Body: BodyOf(e, q.ID)}
	},
}

type prefixed struct {
	prefix  string
	dialect *Dialect
}

// Speak makes all paths that begin with prefix speak d: those that are mounted, and those that are not there.
func (r *Router) Speak(prefix string, d *Dialect) {
	r.dialects = append(r.dialects, prefixed{prefix, d})
}

func (r *Router) dialectOf(hr *http.Request) *Dialect {
	for _, p := range r.dialects {
		if strings.HasPrefix(hr.URL.Path, p.prefix) {
			return p.dialect
		}
	}
	return house
}

func (d *Dialect) status(t usecase.Type, table Table) int {
	if s, ok := table[t]; ok {
		return s
	}
	return statusOf(t, d.Table)
}
