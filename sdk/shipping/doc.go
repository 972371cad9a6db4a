// Package shipping holds the words of shipping: addresses, contacts, parcels, items, money, time windows, quotes, labels,
// tracking events and statuses. The same structs stand in request bodies, are validated, stored, sent to carrier adapters
// and answered, so a field exists once in Go (and once in carrier.proto, for adapters in other languages).
//
// The package imports the standard library only. JSON names are those of the public API. Numbers that people write
// (money, weights, lengths) are kept as exact text in Decimal and never pass through a float.
package shipping
