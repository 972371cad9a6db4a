package tracker

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Telling is how one way of asking has told of an event: answers and pushes word the same thing differently.
type Telling struct {
	Origin       Origin `json:"origin"`
	CarrierCode  string `json:"carrierCode,omitempty"`
	CarrierWords string `json:"carrierWords,omitempty"`
	State        string `json:"state,omitempty"`
	PostalCode   string `json:"postalCode,omitempty"`
	CountryCode  string `json:"countryCode,omitempty"`
	CarrierTime  string `json:"carrierTime,omitempty"`
}

func tellingOf(e *Event) Telling {
	return Telling{Origin: e.Origin, CarrierCode: e.CarrierCode, CarrierWords: e.CarrierWords, State: e.State, PostalCode: e.PostalCode, CountryCode: e.CountryCode,
		CarrierTime: e.CarrierTime}
}

func (e *Event) tell(by Telling) {
	e.Origin, e.CarrierCode, e.CarrierWords = by.Origin, by.CarrierCode, by.CarrierWords
	e.State, e.PostalCode, e.CountryCode, e.CarrierTime = by.State, by.PostalCode, by.CountryCode, by.CarrierTime
}

// compare orders what one origin tells, by code and words. Those of equal code and words are one telling.
func (a Telling) compare(b Telling) int {
	return cmp.Or(strings.Compare(strings.ToLower(a.CarrierCode), strings.ToLower(b.CarrierCode)),
		strings.Compare(strings.ToLower(a.CarrierWords), strings.ToLower(b.CarrierWords)))
}

// pushed: everything that is not pushed is told when somebody asks.
func (a Telling) pushed() bool { return a.Origin == ByPush }

// alike is what is known of one time, status, sub-status, reason and place: several scans may share all of these. Within one origin
// code and words tell them apart; across origins they do not, so there are as many events as the origin with more tellings has. The
// events are numbered, and get the tellings in the order of their words, so that nothing depends on which came first.
type alike struct {
	key    string
	events []int // indexes into Tracker.Events
	asked  []Telling
	pushed []Telling
}

// alike finds the events of a key. index is where the events are, by id.
func (t *Tracker) alike(key string, index map[string]int) *alike {
	a := &alike{key: key}
	for {
		i, ok := index[numbered(key, len(a.events))]
		if !ok {
			return a
		}
		a.events = append(a.events, i)
		e := &t.Events[i]
		a.add(tellingOf(e))
		if e.Echo != nil {
			a.add(*e.Echo)
		}
	}
}

// add reports whether the telling is new. Of two that differ in case only, the one that sorts first is kept.
func (a *alike) add(by Telling) bool {
	of := &a.asked
	if by.pushed() {
		of = &a.pushed
	}
	i, found := slices.BinarySearchFunc(*of, by, Telling.compare)
	if found {
		(*of)[i] = least((*of)[i], by)
		return false
	}
	*of = slices.Insert(*of, i, by)
	return true
}

// least chooses between two forms of one telling. Of two that differ in the carrier's clock only, one that has it is kept: what was
// heard before clocks were kept is told again with them.
func least(a, b Telling) Telling {
	without := func(t Telling) int {
		if t.CarrierTime == "" {
			return 1
		}
		return 0
	}
	if cmp.Or(strings.Compare(a.CarrierCode, b.CarrierCode), strings.Compare(a.CarrierWords, b.CarrierWords), strings.Compare(a.State, b.State),
		strings.Compare(a.PostalCode, b.PostalCode), strings.Compare(a.CountryCode, b.CountryCode), cmp.Compare(without(a), without(b)),
		strings.Compare(a.CarrierTime, b.CarrierTime)) <= 0 {
		return a
	}
	return b
}

// full reports whether one more event is needed to hold every telling.
func (a *alike) full() bool { return max(len(a.asked), len(a.pushed)) > len(a.events) }

// spread gives the events their tellings: the asked ones first, the pushed ones beside them.
func (a *alike) spread(t *Tracker) {
	for n, i := range a.events {
		e := &t.Events[i]
		e.Echo = nil
		switch asked, pushed := n < len(a.asked), n < len(a.pushed); {
		case asked && pushed:
			e.tell(a.asked[n])
			echo := a.pushed[n]
			e.Echo = &echo
		case asked:
			e.tell(a.asked[n])
		case pushed:
			e.tell(a.pushed[n])
		}
	}
}

// numbered is the id of the nth event of a key.
func numbered(key string, n int) string {
	if n == 0 {
		return key
	}
	sum := sha256.Sum256([]byte(key + "/" + strconv.Itoa(n)))
	return hex.EncodeToString(sum[:8])
}

// identity is the key of an event: what happened when and where. The carrier's code and words count only where they say nothing that
// we know; see alike for what they do otherwise.
func identity(e *Event, several bool) string {
	h := sha256.New()
	put := func(s string) { fmt.Fprintf(h, "%d:", len(s)); _, _ = io.WriteString(h, s) } // a hash takes everything
	stamp := ""
	if !e.Time.IsZero() {
		stamp = e.Time.UTC().Truncate(time.Second).Format(time.RFC3339)
	}
	put(stamp)
	put(string(e.Status))
	if e.Status == "" {
		put(strings.ToLower(cmp.Or(e.CarrierCode, e.CarrierWords)))
	}
	put(e.SubStatus)
	if e.Reason != nil {
		put(e.Reason.Code)
	}
	put(strings.ToLower(e.City))
	if several {
		put(e.Number)
	}
	if e.Origin == ByManual {
		put(e.User)
		put(e.Note)
		if e.Actor != "" {
			put(e.Actor)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// usual is the way that most orders go. Of events of one second the one that comes earlier here happened first.
var usual = []shipping.Status{"", shipping.OrderDispatched, shipping.Staged, shipping.OrderAssigned, shipping.OrderUnassigned, shipping.PickupStarted,
	shipping.PickupCompleted, shipping.InTransit, shipping.OrderDelayed, shipping.ErrorException, shipping.OrderRedelivery, shipping.OutForDelivery,
	shipping.OrderAtLocation, shipping.OrderUndeliverable, shipping.OrderDelivered, shipping.OrderCancelled, shipping.OrderFailed}

// usualSubs are the sub-statuses that have an order among themselves. Others come after none and before these.
var usualSubs = []string{SubReturnStarted, SubReturnAtLocation, SubReturned, SubReturnFailed}

// rank is the place of an event on the usual way, as the carrier told it.
func rank(e Event) (status, sub int) {
	said := e.Status
	if e.GivenBack {
		said = shipping.OrderDispatched
	}
	sub = slices.Index(usualSubs, e.SubStatus) + 2
	if e.SubStatus == "" {
		sub = 0
	}
	return slices.Index(usual, said), sub
}

// truth orders events by what they say, never by how they came, so that all orders of arrival end in the same state: by the carrier's
// time in seconds (answers and pushes differ in finer digits), then by the place of the status on the usual way, then by the id of
// the content. What a person has set follows what the carrier said of the same second, in the order in which it was set: there
// arrival is what happened.
func truth(a, b Event) int {
	byHand := func(e Event) int {
		if e.Origin == ByManual {
			return 1
		}
		return 0
	}
	if c := cmp.Or(a.Time.Truncate(time.Second).Compare(b.Time.Truncate(time.Second)), cmp.Compare(byHand(a), byHand(b))); c != 0 {
		return c
	}
	if a.Origin == ByManual {
		return cmp.Or(a.Time.Compare(b.Time.Time), cmp.Compare(a.Seq, b.Seq))
	}
	status, sub := rank(a)
	otherStatus, otherSub := rank(b)
	return cmp.Or(cmp.Compare(status, otherStatus), cmp.Compare(sub, otherSub), strings.Compare(a.ID, b.ID))
}
