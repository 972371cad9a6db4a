package usecase

import (
	"fmt"
	"regexp"
	"strings"
)

// The commands that refusals and audits name. Each must be one that is taken as things stand: whoever names it has looked. NUMBER and WHY in
// them are for the person to put in.

// CancelCommand cancels an order. confirmed is the number to be given with it, "" for none.
func CancelCommand(order, confirmed string) string {
	c := "waybill shipments cancel " + Argument(order)
	if confirmed != "" {
		c += " --confirm-number " + Argument(confirmed)
	}
	return c
}

// RetryCommand has an order tried again that nobody has.
func RetryCommand(order string) string { return "waybill shipments retry " + Argument(order) }

// ResolveCommand says what became of an attempt: that it is not booked, or under which number it is, "" for one that is to be put in.
func ResolveCommand(order string, attempt int, number string) string {
	return resolve(order, attempt) + " --outcome absent, or --outcome booked --tracking " + placeholder(number)
}

// WithdrawCommand is ResolveCommand of an attempt whose parcel has come to its end, under a number that is a person's word.
func WithdrawCommand(order string, attempt int, number string) string {
	return resolve(order, attempt) + " --withdraw " + Argument(number) + " --reason WHY --outcome absent, or --outcome booked --tracking " + placeholder("")
}

// SpareCommand has a booking cancelled on which its order does not count.
func SpareCommand(order string, attempt int, number string) string {
	return resolve(order, attempt) + " --outcome spare --tracking " + Argument(number)
}

func resolve(order string, attempt int) string {
	return fmt.Sprintf("waybill shipments resolve %s --attempt %d", Argument(order), attempt)
}

func placeholder(number string) string {
	if number == "" {
		return "NUMBER"
	}
	return Argument(number)
}

var plain = regexp.MustCompile(`^[\pL\pN_.,:/@%+=-]+$`)

// Argument is a word as a shell takes it.
func Argument(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
