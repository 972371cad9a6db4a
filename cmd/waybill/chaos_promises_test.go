package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// sentOrder is the body of an order, and the order as the engine keeps it.
func sentOrder(t *testing.T, id string) ([]byte, shipment.Order) {
	t.Helper()
	body := fmt.Appendf(nil, chaosOrder, chaosStore, id, `{"gate":"shut"}`)
	var o shipment.Order
	var single struct {
		Package shipping.Parcel `json:"package"`
	}
	if err := json.Unmarshal(body, &o); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &single); err != nil {
		t.Fatal(err)
	}
	o.Packages = []shipping.Parcel{single.Package}
	return body, o
}

// TestPromisesAreHeldAgainstTheEnd plants what must not become of what was acknowledged, one thing at a time.
func TestPromisesAreHeldAgainstTheEnd(t *testing.T) {
	const instructions = `{"deliveryInstructions":"Leave it with the neighbour"}`
	neighbour := "Leave it with the neighbour"
	edited := func(sh *shipment.Shipment) { sh.Order.DeliveryInstructions = &neighbour }
	for name, c := range map[string]struct {
		said    told
		status  shipping.Status
		change  func(*shipment.Shipment)
		history []string
		want    string // what the one difference says, "" for none
	}{
		"as it was sent":                            {told{created: 201}, shipping.OrderDispatched, nil, nil, ""},
		"another contact":                           {told{created: 201}, shipping.OrderDispatched, func(sh *shipment.Shipment) { sh.Order.DeliveryContact.Name = "Bob" }, nil, "deliveryContact name is Bob, want Ann"},
		"an item less":                              {told{created: 202}, shipping.OrderDispatched, func(sh *shipment.Shipment) { sh.Order.Items = nil }, nil, "itemList has 0 members, want 1"},
		"another weight":                            {told{created: 201}, shipping.OrderDispatched, func(sh *shipment.Shipment) { sh.Order.Packages[0].Weight = nil }, nil, "package weight"},
		"an attribute lost":                         {told{created: 201}, shipping.OrderDispatched, func(sh *shipment.Shipment) { sh.Order.Attributes = nil }, nil, "orderAttributes gate"},
		"an edit that nobody asked for":             {told{created: 201}, shipping.OrderDispatched, func(sh *shipment.Shipment) { sh.Order.DeliveryAddress.Street1 = "801 Albany Street" }, nil, "street1"},
		"an edit seen":                              {told{created: 201, edited: 200, edit: []byte(instructions)}, shipping.OrderDispatched, edited, nil, ""},
		"an edit forgotten":                         {told{created: 201, edited: 200, edit: []byte(instructions)}, shipping.OrderDispatched, nil, nil, "its edit was acknowledged with 200, and is not seen"},
		"an edit under way and forgotten":           {told{created: 201, edited: 202, edit: []byte(instructions)}, shipping.OrderDispatched, nil, nil, "acknowledged with 202, and is not seen"},
		"an edit under way and refused":             {told{created: 201, edited: 202, editDoubts: true, edit: []byte(instructions)}, shipping.OrderDispatched, nil, []string{"EDIT_REFUSED( UPS: too late )"}, ""},
		"an edit made, being booked, and refused":   {told{created: 201, edited: 202, edit: []byte(instructions)}, shipping.OrderDispatched, nil, []string{"EDIT_REFUSED( UPS: too late )"}, "acknowledged with 202, and is not seen"},
		"an edit in doubt and refused":              {told{created: 201, edited: 200, editDoubts: true, edit: []byte(instructions)}, shipping.OrderDispatched, nil, []string{"EDIT_REFUSED( UPS: too late )"}, ""},
		"an edit in doubt and forgotten":            {told{created: 201, edited: 200, editDoubts: true, edit: []byte(instructions)}, shipping.OrderDispatched, nil, nil, "acknowledged with 200, and is not seen"},
		"an edit in doubt, a cancel refused":        {told{created: 201, edited: 200, editDoubts: true, edit: []byte(instructions)}, shipping.OrderDispatched, nil, []string{"CANCELLATION_REFUSED( UPS: picked up )"}, "acknowledged with 200, and is not seen"},
		"an edit refused after 200":                 {told{created: 201, edited: 200, edit: []byte(instructions)}, shipping.OrderDispatched, nil, []string{"EDIT_REFUSED( UPS: too late )"}, "not seen"},
		"an edit refused, and made":                 {told{created: 201, edited: 400, edit: []byte(instructions)}, shipping.OrderDispatched, edited, nil, "its edit was refused with 400, and it is made"},
		"an edit refused, made all the same":        {told{created: 201, edited: 400, editInDark: 1, edit: []byte(instructions)}, shipping.OrderDispatched, edited, nil, ""},
		"an edit refused":                           {told{created: 201, edited: 400, edit: []byte(instructions)}, shipping.OrderDispatched, nil, nil, ""},
		"an edit made of what nobody carries then":  {told{created: 201, edited: 422, editMade: true, edit: []byte(instructions)}, shipping.OrderDispatched, edited, nil, ""},
		"an edit made, carried, and forgotten then": {told{created: 201, edited: 422, editMade: true, edit: []byte(instructions)}, shipping.OrderDispatched, nil, nil, "its edit was acknowledged with 422, and is not seen"},
		"what an erasure takes": {told{created: 201, delivered: 200, erased: 200}, shipping.OrderDelivered, func(sh *shipment.Shipment) {
			sh.Erase(sh.CreatedAt.AddDate(2026, 0, 0))
		}, nil, ""},
		"cancelled":                             {told{created: 201, cancelled: 200}, shipping.OrderCancelled, nil, nil, ""},
		"a cancel forgotten":                    {told{created: 201, cancelled: 200}, shipping.OrderDispatched, nil, nil, "its cancellation was acknowledged with 200, and it is ORDER_DISPATCHED"},
		"a cancel under way":                    {told{created: 201, cancelled: 202}, shipping.OrderCancelled, nil, nil, ""},
		"a cancel under way and forgotten":      {told{created: 201, cancelled: 202}, shipping.OrderDispatched, nil, nil, "its history does not say why"},
		"a cancel under way and refused":        {told{created: 201, cancelled: 202}, shipping.OrderDelivered, nil, []string{"CANCELLATION_REFUSED( UPS: picked up )"}, ""},
		"a cancel refused without a reason":     {told{created: 201, cancelled: 202}, shipping.OrderDelivered, nil, []string{"CANCELLATION_REFUSED( UPS: )"}, "its history does not say why"},
		"a cancel refused after 200":            {told{created: 201, cancelled: 200}, shipping.OrderDispatched, nil, []string{"CANCELLATION_REFUSED( UPS: picked up )"}, "acknowledged with 200"},
		"a cancel answered as made before":      {told{created: 201, cancelled: http.StatusConflict}, shipping.OrderDispatched, nil, nil, "acknowledged with 409"},
		"given up and asked of another":         {told{created: 201, gaveUp: "r"}, shipping.OrderDispatched, nil, nil, ""},
		"given up and left":                     {told{created: 201, gaveUp: "r"}, shipping.ErrorException, nil, nil, "its rules name others to ask"},
		"sent twice":                            {told{created: 202, id: "k", again: 201, againID: "k"}, shipping.OrderDispatched, nil, nil, ""},
		"sent twice, and another came of it":    {told{created: 201, id: "k", again: 201, againID: "l"}, shipping.OrderDispatched, nil, nil, `the id "l"`},
		"sent twice, and once for nothing":      {told{created: 201, id: "k", again: 422}, shipping.OrderDispatched, nil, nil, `the id ""`},
		"sent twice, answered for another":      {told{created: 201, id: "l", again: 201, againID: "k"}, shipping.OrderDispatched, nil, nil, "with the id l"},
		"sent twice, and refused once":          {told{created: 201, id: "k", again: 422, againID: "k"}, shipping.OrderDispatched, nil, nil, "sent again, with 422"},
		"sent twice, refused while it waited":   {told{created: 202, id: "k", again: 422, againID: "k"}, shipping.OrderDispatched, nil, nil, ""},
		"sent twice, and lost in the end":       {told{created: 202, id: "k", again: 422, againID: "k"}, shipping.OrderFailed, nil, nil, "nothing stood against it"},
		"cancelled though it was refused":       {told{created: 201, cancelled: 422}, shipping.OrderCancelled, nil, nil, "refused with 422"},
		"edited and then cancelled, told":       {told{created: 201, edited: 200, edit: []byte(instructions), cancelled: 200}, shipping.OrderCancelled, nil, []string{"EDIT_REFUSED( UPS: it is cancelled )"}, ""},
		"edited and then cancelled":             {told{created: 201, edited: 200, edit: []byte(instructions), cancelled: 200}, shipping.OrderCancelled, nil, nil, "is not seen"},
		"sent twice, and retried":               {told{created: 422, id: "k", again: 201, againID: "k", retried: 200}, shipping.OrderDispatched, nil, nil, ""},
		"a create that was refused and is kept": {told{created: 422}, shipping.OrderDispatched, func(sh *shipment.Shipment) { sh.Order.DeliveryContact.Name = "Bob" }, nil, "deliveryContact"},
	} {
		t.Run(name, func(t *testing.T) {
			sh := &shipment.Shipment{Status: c.status}
			c.said.body, sh.Order = sentOrder(t, "o")
			if c.change != nil {
				c.change(sh)
			}
			x := newExamination(nil)
			x.orders["o"] = &owned{id: "o", key: "k", status: sh.Status, asked: sh.Order, erased: !sh.ErasedAt.IsZero()}
			for _, note := range c.history {
				x.line("o", shipment.Change{Note: note})
			}
			said := newTruth()
			said.orders["o"] = &c.said
			x.promises(said)
			var found []string
			for _, d := range x.found {
				found = append(found, d.Detail)
			}
			if got := strings.Join(found, "; "); (got == "") != (c.want == "") || !strings.Contains(got, c.want) || len(found) > 1 {
				t.Errorf("found %q, want %q", got, c.want)
			}
			if x.bodies != 1 {
				t.Errorf("%d orders were held against what was sent, want 1", x.bodies)
			}
		})
	}
}

// TestCarriersAreHeldAgainstTheOrder has a carrier know something else than the order says, or than it may know after an edit.
func TestCarriersAreHeldAgainstTheOrder(t *testing.T) {
	const upsKnows = `{"to":["725 Albany Street","Boston MA 02118"]}`
	dash := func(instructions string) string {
		return fmt.Sprintf(`{"request":{"dropoff_address":"725 Albany Street, Boston, MA 02118","dropoff_instructions":%q}}`, instructions)
	}
	edit := []byte(`{"deliveryInstructions":"Knock"}`)
	const (
		ended = "EDIT_REFUSED( DoorDash: the booking had come to its end before )"
		says  = "the order warns that its carrier was not told"
	)
	knock := func(o *shipment.Order) { o.DeliveryInstructions = new("Knock") }
	elsewhere := func(o *shipment.Order) { o.DeliveryAddress.PostalCode = "02119" }
	refused, taken := told{edited: 400, edit: edit}, told{edited: 200, edit: edit}
	inDark := taken
	inDark.editInDark = 1
	for name, c := range map[string]struct {
		details  string
		change   func(*shipment.Order)
		said     told
		history  string // or says
		attempts int    // with a booking
		unedited int
		want     string
	}{
		"UPS knows it":                         {upsKnows, nil, told{}, "", 1, 0, ""},
		"UPS brings it elsewhere":              {`{"to":["801 Albany Street","Boston MA 02119"]}`, nil, told{}, "", 1, 0, "brings it to"},
		"UPS takes no instructions":            {upsKnows, knock, told{}, "", 1, 0, ""},
		"DoorDash knows it":                    {dash("Knock"), knock, told{}, "", 1, 0, ""},
		"DoorDash was not told":                {dash(""), knock, taken, "", 1, 0, `has been told ""`},
		"nor when it was asked in the dark":    {dash(""), knock, inDark, "", 1, 0, `has been told ""`},
		"DoorDash has refused to be told":      {dash(""), knock, taken, says, 1, 1, ""},
		"DoorDash has refused, and was told":   {dash("Knock"), knock, taken, says, 1, 1, `has been told "Knock"`},
		"told, and refused when asked again":   {dash("Knock"), knock, inDark, says, 1, 0, ""},
		"refused when asked again":             {dash(""), knock, inDark, says, 1, 0, ""},
		"refused, and then ended":              {dash(""), knock, told{edited: 422, editInDark: 1, edit: edit}, says, 1, 0, ""},
		"something else when asked again":      {dash("Sing"), knock, inDark, says, 1, 0, `has been told "Sing"`},
		"refused, and booked with it since":    {dash("Knock"), knock, taken, "", 2, 0, ""},
		"booked since, and says the old":       {dash(""), knock, taken, "", 2, 0, `has been told ""`},
		"refused in the end":                   {dash(""), knock, told{edited: 202, edit: edit}, "EDIT_REFUSED( DoorDash: too late )", 1, 0, ""},
		"ended before its answer was known":    {dash("Knock"), nil, told{edited: 200, editDoubts: true, edit: edit}, ended, 1, 0, ""},
		"ended before any answer, in the dark": {dash("Knock"), nil, told{edited: 422, editInDark: 1, edit: edit}, ended, 1, 0, ""},
		"ended while it was asked once":        {dash("Knock"), nil, refused, ended, 1, 1, ""},
		"made, and carried by nobody at first": {dash("Knock"), knock, told{edited: 422, editMade: true, edit: edit}, "", 1, 0, ""},
		"ended before any answer, under way":   {dash("Knock"), nil, told{edited: 202, edit: edit}, ended, 1, 0, ""},
		"ended, and something else is known":   {dash("Sing"), nil, told{edited: 422, editInDark: 1, edit: edit}, ended, 1, 0, `has been told "Sing"`},
		"in the dark, and nowhere refused":     {dash("Knock"), nil, told{edited: 422, editInDark: 1, edit: edit}, "", 1, 0, `has been told "Knock"`},
		"an edit that the caller was refused":  {dash(""), nil, refused, "", 1, 1, ""},
		"one refused that DoorDash knows":      {dash("Knock"), nil, refused, "", 1, 1, `has been told "Knock"`},
		"one refused that UPS knows":           {`{"to":["725 Albany Street","Boston MA 02119"]}`, nil, refused, "", 1, 1, "brings it to"},
		"DoorDash brings it elsewhere":         {dash(""), elsewhere, told{}, "", 1, 0, "brings it to"},
		"a carrier that says nothing":          {`{}`, nil, told{}, "", 1, 0, "brings it to"},
		"a carrier that says what is not JSON": {`{`, nil, told{}, "", 1, 0, "cannot be read"},
	} {
		x := newExamination(nil)
		var order shipment.Order
		c.said.body, order = sentOrder(t, "o")
		if c.change != nil {
			c.change(&order)
		}
		x.line("o", shipment.Change{Note: c.history})
		o := &owned{id: "o", asked: order, uninformed: c.history == says}
		for range c.attempts {
			o.attempts = append(o.attempts, shipment.Attempt{Booking: &shipment.Booking{}})
		}
		x.consigned(o, &c.said, &held{carrier: "c", entity: "e"}, jsontext.Value(c.details))
		var found []string
		for _, d := range x.found {
			found = append(found, d.Detail)
		}
		if got := strings.Join(found, "; "); (got == "") != (c.want == "") || !strings.Contains(got, c.want) || len(found) > 1 {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
		if x.unedited != c.unedited {
			t.Errorf("%s: %d edits that were not taken were compared, want %d", name, x.unedited, c.unedited)
		}
	}
}

// TestARefusalNeedsGrounds holds what the history says of a cancellation against how far the carrier is.
func TestARefusalNeedsGrounds(t *testing.T) {
	for name, c := range map[string]struct {
		carrier, state, note string
		answered             int
		want                 int
	}{
		"UPS has it":                   {"ups", "PICKUP_SCAN", "CANCELLATION_REFUSED( UPS: picked up )", 202, 0},
		"UPS has not come yet":         {"ups", "LABEL_CREATED", "CANCELLATION_REFUSED( UPS: picked up )", 202, 1},
		"a Dasher is assigned":         {"doordash", "confirmed", "CANCELLATION_REFUSED( DoorDash: assigned )", 202, 0},
		"no Dasher is assigned":        {"doordash", "created", "CANCELLATION_REFUSED( DoorDash: assigned )", 202, 1},
		"nobody has asked":             {"ups", "LABEL_CREATED", "", 0, 0},
		"refused to who asked":         {"ups", "LABEL_CREATED", "", 403, 1},
		"refused to them, on its way":  {"ups", "OUT_FOR_DELIVERY", "", 403, 0},
		"UPS could not be asked":       {"ups", "LABEL_CREATED", "", 422, 0},
		"an edit was refused, no more": {"doordash", "created", "EDIT_REFUSED( DoorDash: too late )", 0, 0},
	} {
		x := newExamination(nil)
		x.line("o", shipment.Change{Note: c.note})
		if x.heldBack(&owned{id: "o"}, &told{cancelled: c.answered}, &held{carrier: c.carrier}, c.state); len(x.found) != c.want {
			t.Errorf("%s: found %+v, want %d", name, x.found, c.want)
		}
		again := &owned{id: "o", attempts: []shipment.Attempt{{Booking: &shipment.Booking{}}, {Booking: &shipment.Booking{}}}}
		x.found = nil
		if x.heldBack(again, &told{cancelled: c.answered}, &held{carrier: c.carrier}, c.state); len(x.found) > 0 {
			t.Errorf("%s, and booked again since: found %+v", name, x.found)
		}
	}
}

// TestWhatIsDeliveredHasArrived holds an order that says that it is delivered against how far its carrier is.
func TestWhatIsDeliveredHasArrived(t *testing.T) {
	for name, c := range map[string]struct {
		carrier, state string
		status         shipping.Status
		said           told
		want           int
	}{
		"UPS has delivered it":      {"ups", "DELIVERED", shipping.OrderDelivered, told{carried: true}, 0},
		"UPS has it on the road":    {"ups", "OUT_FOR_DELIVERY", shipping.OrderDelivered, told{}, 1},
		"a Dasher has delivered it": {"doordash", "delivered", shipping.OrderDelivered, told{carried: true}, 0},
		"no Dasher has come":        {"doordash", "created", shipping.OrderDelivered, told{}, 1},
		"a person has said so":      {"ups", "LABEL_CREATED", shipping.OrderDelivered, told{delivered: 200}, 0},
		"or has, and was not heard": {"ups", "LABEL_CREATED", shipping.OrderDelivered, told{delivered: 409}, 0},
		"it is on its way":          {"ups", "PICKUP_SCAN", shipping.InTransit, told{}, 0},
	} {
		x := newExamination(nil)
		if x.arrived(&owned{id: "o", status: c.status}, &c.said, &held{carrier: c.carrier}, c.state); len(x.found) != c.want {
			t.Errorf("%s: found %+v, want %d", name, x.found, c.want)
		}
	}
	for account, steps := range carrying {
		if state := delivered[account]; state != "" && state != steps[len(steps)-1] {
			t.Errorf("%s is carried to %s, and delivered at %s", account, steps[len(steps)-1], state)
		}
	}
}

// TestWhatIsGivenUpMayStayWithNobody has a carrier give up a booking when the rules have nobody left to ask.
func TestWhatIsGivenUpMayStayWithNobody(t *testing.T) {
	ledger := ledgerOf("1Z2 r2 booking", "1Z2 r2 charge", "1Z2 r2 void", "1Z2 r2 refund")
	const ends = "FALLBACK_ENDS( Another carrier: no step is left )"
	for name, c := range map[string]struct {
		note     string
		attempts []string
		want     int
	}{
		"others were asked before":  {ends, []string{"r1 refused -", "r2 ended 1Z2"}, 0},
		"it was the first":          {ends, []string{"r2 ended 1Z2"}, 2}, // it stands where it must not, and without a booking
		"the history does not know": {"", []string{"r1 refused -", "r2 ended 1Z2"}, 2},
	} {
		x := newExamination(ledger)
		x.gaveUp["r2"] = true
		x.line("o", shipment.Change{Note: c.note})
		x.order(bookedBy("o", shipping.ErrorException, c.attempts...))
		x.strangers()
		said := newTruth()
		said.orders["o"] = &told{created: 201, gaveUp: "r2"}
		if x.promises(said); len(x.found) != c.want {
			t.Errorf("%s: found %+v, want %d", name, x.found, c.want)
		}
	}
}

// TestNothingIsQuietWhileACarrierIsToBeAsked finds what no job that is due soon tells of.
func TestNothingIsQuietWhileACarrierIsToBeAsked(t *testing.T) {
	for want, change := range map[string]func(*shipment.Shipment){
		"": func(sh *shipment.Shipment) {
			sh.Attempts[0].Spares = []shipment.Spare{{CarrierRef: "1Z2", CancelledAt: time.Unix(1, 0)}}
		},
		"a cancellation": func(sh *shipment.Shipment) { sh.Cancel = &shipment.CancelRequest{} },
		"an edit":        func(sh *shipment.Shipment) { sh.Attempts[0].EditIntent = &shipment.EditIntent{} },
		"a spare booking": func(sh *shipment.Shipment) {
			sh.Attempts[0].Spares = []shipment.Spare{{CarrierRef: "1Z2"}}
		},
	} {
		sh := bookedBy("o", shipping.OrderDispatched, "r1 booked 1Z1")
		if change(sh); undone(sh) != want {
			t.Errorf("%q is left, want %q", undone(sh), want)
		}
	}
	bare := bookedBy("o", shipping.OrderDispatched, "r1 booked 1Z1")
	bare.Attempts[0].Booking.Parcels = []shipment.BookedParcel{{Number: "1Z1"}}
	if got := undone(bare); got != "a label" {
		t.Errorf("%q is left of a booking that lacks its label", got)
	}
	if bare.Attempts[0].State = shipment.Cancelled; undone(bare) != "" {
		t.Errorf("%q is left of a booking that is cancelled", undone(bare))
	}
	asked := bookedBy("o", shipping.OrderDispatched, "r1 booked 1Z1")
	asked.Attempts[0].CancelIntent = &shipment.CancelIntent{}
	if got := undone(asked); got != "a cancellation" {
		t.Errorf("%q is left of a booking that is being cancelled", got)
	}
}

// TestWhatNeededAPersonIsTold has the report name each case, whoever settled it.
func TestWhatNeededAPersonIsTold(t *testing.T) {
	x := newExamination(nil)
	x.line("o", shipment.Change{Attempt: 1, Note: "NEEDS_ATTENTION( UPS: nobody knows )"})
	x.line("o", shipment.Change{Attempt: 2, Note: "NEEDS_ATTENTION( UPS: the account is gone )"})
	x.line("o", shipment.Change{Attempt: 1, Note: "EDIT_REFUSED( UPS: too late )"})
	r := newChaosReport(&chaosFlags{})
	r.tally(bookedBy("o", shipping.OrderDispatched, "r1 absent -", "r2 adopted 1Z2"), x.needed["o"])
	want := []attentionCase{{"o", 1, "", "UPS: nobody knows", shipment.Absent}, {"o", 2, "", "UPS: the account is gone", shipment.Adopted}}
	if !slices.Equal(r.Attention, want) {
		t.Errorf("told %+v, want %+v", r.Attention, want)
	}
}

// TestLabelsAreLookedAt holds what the store has of a parcel's label against the booking.
func TestLabelsAreLookedAt(t *testing.T) {
	zpl := func(text string) shipping.Label { return shipping.Label{Format: shipping.ZPL, Data: []byte(text)} }
	for name, c := range map[string]struct {
		label  shipping.Label
		erased bool
		state  shipment.AttemptState
		want   string
	}{
		"its own":                   {label: zpl("^XA^FD1Z1^FS^XZ")},
		"none":                      {want: "lost"},
		"none of what is delivered": {state: shipment.Ended},
		"another parcel's":          {label: zpl("^XA^FD1Z2^FS^XZ"), want: "status"},
		"another format":            {label: shipping.Label{Format: shipping.PDF, Data: []byte("%PDF")}, want: "status"},
		"none of an erased order":   {erased: true},
		"one of an erased order":    {label: zpl("^XA^FD1Z1^FS^XZ"), erased: true, want: "status"},
	} {
		x := newExamination(nil)
		x.label(&owned{id: "o", erased: c.erased}, &shipment.Attempt{Number: 1, LabelFormat: shipping.ZPL, State: cmp.Or(c.state, shipment.Booked)}, 1, "1Z1", c.label)
		if got := len(x.found); x.labelled != 1 || (got > 0) != (c.want != "") || got > 0 && (got > 1 || x.found[0].Kind != c.want) {
			t.Errorf("%s: found %+v, want %q", name, x.found, c.want)
		}
	}
}

// TestABookingThatWasGivenUpCountsNoMore compares an order whose first carrier has given it up with the ledger.
func TestABookingThatWasGivenUpCountsNoMore(t *testing.T) {
	ledger := ledgerOf("1Z1 r1 booking", "1Z1 r1 charge", "1Z1 r1 void", "1Z1 r1 refund", "1Z2 r2 booking", "1Z2 r2 charge")
	sh := bookedBy("o", shipping.OrderDispatched, "r1 ended 1Z1", "r2 booked 1Z2")
	for gaveUp, want := range map[string]int{"r1": 0, "": 2} { // else the order has two bookings, of which the carrier has ended one
		x := newExamination(ledger)
		x.gaveUp[gaveUp] = true
		x.order(sh)
		x.strangers()
		if len(x.found) != want {
			t.Errorf("given up %q: found %+v, want %d", gaveUp, x.found, want)
		}
	}
	x := newExamination(ledgerOf("1Z1 r1 booking", "1Z1 r1 charge", "1Z1 r1 void", "1Z2 r2 booking", "1Z2 r2 charge"))
	x.gaveUp["r1"] = true
	if x.order(sh); len(x.found) != 1 || x.found[0].Kind != "money" {
		t.Errorf("a booking that was given up and is still charged: found %+v", x.found)
	}
}

// enough is a report of a run that has compared enough.
func enough() *chaosReport {
	r := &chaosReport{Orders: pointsFrom, Exchanges: 1000, Disturbed: 95, Stored: 40, AuditOrders: 40, WithLedger: 30, Compared: 30, Bodies: 20, Meant: 12, Dispatched: 8, Consigned: 5, Labels: 5, Events: 9, Unedited: 1, Driven: 1,
		Held: map[string]int{"ups": 10, "doordash": 10}, Shown: map[string]int{"ups": 3, "doordash": 3},
		Kills:        map[string]int{"engine": 1, "simulator": 1, "ups": 1, "doordash": 1, "selfdelivery": 1},
		Acknowledged: map[string]int{}, Asked: map[string]int{}, Hearings: map[string]hearing{"steady": {Messages: 9}, "moody": {Messages: 9}}}
	for _, a := range acknowledgements {
		r.Acknowledged[a.what] = 20
	}
	for _, f := range fates {
		r.Asked[f.name] = 1
	}
	return r
}

// TestARunThatComparesTooLittleProvesNothing takes one thing at a time from a run that has compared enough.
func TestARunThatComparesTooLittleProvesNothing(t *testing.T) {
	if got := enough().tooLittle(); got != nil || enough().failed() {
		t.Fatalf("a run that has compared enough: %q, failed %v", got, enough().failed())
	}
	for want, change := range map[string]func(*chaosReport){
		"7.9% of 1000 exchanges":    func(r *chaosReport) { r.Disturbed = 79 },
		"0.0% of 0 exchanges":       func(r *chaosReport) { r.Exchanges, r.Disturbed = 0, 0 },
		"acknowledged as cancelled": func(r *chaosReport) { r.Acknowledged["cancelled"] = 0 },
		"acknowledged as edited":    func(r *chaosReport) { r.Acknowledged["edited"] = 0 },
		"want 50% of 42 at least": func(r *chaosReport) {
			r.Asked["cancelled"] = 40
			r.Acknowledged["created"], r.Acknowledged["bodies"], r.Bodies, r.Stored, r.AuditOrders = 45, 45, 45, 45, 45
		},
		"of 12 that nobody has cancelled": func(r *chaosReport) { r.Dispatched-- },
		"0 orders were dispatched of 0":   func(r *chaosReport) { r.Meant, r.Dispatched = 0, 0 },
		"the audit has read 39 orders":    func(r *chaosReport) { r.AuditOrders-- },
		"the store has 40 orders, and 41": func(r *chaosReport) { r.Acknowledged["created"] = 41 },
		"compared 29 attempts":            func(r *chaosReport) { r.Compared-- },
		"19 orders were held against":     func(r *chaosReport) { r.Bodies-- },
		"no booking was held against":     func(r *chaosReport) { r.Consigned = 0 },
		"no label was looked for":         func(r *chaosReport) { r.Labels = 0 },
		"told to 0 subscribers":           func(r *chaosReport) { r.Hearings = nil },
		"subscriber moody was told":       func(r *chaosReport) { r.Hearings["moody"] = hearing{} },
		"edit it had not taken":           func(r *chaosReport) { r.Unedited = 0 },
		"the book of its drivers":         func(r *chaosReport) { r.Driven = 0 },
		"of 10 bookings that reached ups": func(r *chaosReport) { r.Shown["ups"] = 0 },
		"of 0 bookings that reached doordash": func(r *chaosReport) {
			delete(r.Held, "doordash")
			delete(r.Shown, "doordash")
		},
		"no order was gated": func(r *chaosReport) { delete(r.Asked, "gated") },
	} {
		r := enough()
		change(r)
		got := r.tooLittle()
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("said %q, want %q", got, want)
		}
		if r.TooLittle = got; !r.failed() {
			t.Errorf("a run with %q has not failed", got)
		}
	}
	few := enough()
	if few.Orders, few.Asked = pointsFrom-1, nil; few.tooLittle() != nil {
		t.Errorf("a small run need not have every fate: %q", few.tooLittle())
	}
}

// TestAcknowledgementsAreCounted counts what callers were told.
func TestAcknowledgementsAreCounted(t *testing.T) {
	said := newTruth()
	said.orders["a"] = &told{created: 201, body: []byte("{}"), cancelled: 202, edited: 403, delivered: 200, erased: 200, followed: 201, forgot: 404, subscribed: 200, carried: true}
	said.orders["a-R1"] = &told{created: 201, gaveUp: "r"}
	got := said.acknowledged()
	want := map[string]int{"created": 2, "bodies": 1, "cancelled": 1, "edited": 0, "delivered": 1, "erased": 1, "followed": 1, "forgotten": 0, "told otherwise": 1, "carried": 1, "given up": 1}
	if !maps.Equal(got, want) || len(got) != len(acknowledgements) {
		t.Errorf("counted %v, want %v", got, want)
	}
	for _, a := range acknowledgements {
		for _, name := range a.asked {
			if !slices.ContainsFunc(fates, func(f *fate) bool { return f.name == name }) {
				t.Errorf("%s is asked of orders that are %s, and there are none", a.what, name)
			}
		}
	}
}
