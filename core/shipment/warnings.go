package shipment

// Codes of warnings that stand as long as something is in doubt.
const (
	DispatchInDoubt = "DISPATCH_IN_DOUBT"
	CancelPending   = "CANCEL_PENDING"
	CancelInDoubt   = "CANCEL_IN_DOUBT"
	EditInDoubt     = "EDIT_IN_DOUBT"
)

// AllWarnings returns the shipment's warnings, and what is in doubt, as long as it is: whether it is booked, and what becomes of a
// cancellation or an edit that is kept.
func (s *Shipment) AllWarnings() []Warning {
	out := append([]Warning(nil), s.Warnings...)
	live, open := s.Live(s.Way()), s.Open(s.Way())
	if open != nil && open.State == InDoubt {
		out = append(out, Warning{Code: DispatchInDoubt, Provider: open.Provider,
			Message: "It is not known yet whether " + open.Provider + " has booked the order. It is being found out; do not send the order again."})
	}
	switch {
	case s.Cancel == nil:
	case live != nil:
		out = append(out, live.cancelInDoubt())
	case open != nil || s.Waiting():
		out = append(out, Warning{Code: CancelPending, Message: "The order will be cancelled as soon as it is known whether the provider has booked it."})
	}
	switch {
	case live == nil:
	case live.EditIntent != nil:
		out = append(out, Warning{Code: EditInDoubt, Provider: live.Provider,
			Message: "It is not known yet whether " + live.Provider + " has taken the change; it is asked for again until it is certain, and shows on the order then."})
	case live.Rebooking():
		out = append(out, Warning{Code: EditInDoubt, Provider: live.Provider,
			Message: "It is not known yet whether " + live.Provider + " has cancelled the present booking, which the change needs. The order is changed and booked anew as soon as that is certain."})
	}
	return out
}

func (a *Attempt) cancelInDoubt() Warning {
	w := Warning{Code: CancelInDoubt, Provider: a.Provider,
		Message: "It is not known yet whether the provider has cancelled the order; the cancellation is asked for again until it is certain."}
	if d := a.Doubt; a.CancelIntent == nil && d != nil && d.Told && d.Needs != "" {
		w.Message = "The order will be cancelled as soon as a person has said under which number it is booked: " + d.Last + "."
	}
	return w
}

// Rebooking reports whether the booking is being cancelled for somebody's edit, which needs another one.
func (a *Attempt) Rebooking() bool {
	ci := a.CancelIntent
	return ci != nil && ci.Replace != nil && ci.By != System
}
