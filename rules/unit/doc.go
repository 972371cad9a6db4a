// Package unit has the quantities that rules compute with: weight, length, volume and distance. Each is an exact rational number in
// its base unit, so that 60 lb equals lb(60) to the last digit; only display rounds.
package unit
