// Package rules is the merchant's side of a decision: it reads rule files, checks them, says which carriers to ask, and chooses
// among what they offer.
//
// A Bundle is made once from the files of one folder (Load, LoadDir) or is the built-in one (Default), and never changes; it may be
// used by many goroutines. One order then takes two steps with the same bundle:
//
//	in := rules.NewInput(rules.InputSource{…})   // what the rules may see: plain values, recorded with the decision
//	plan := bundle.Prepare(in, candidates)       // hold, set, and the exclusions that need no quote
//	… ask the carriers of plan.Ask …
//	decision := bundle.Decide(plan, offers, refused...)
//
// The phases are fixed: hold, set, exclude, adjust, rank, choose, guard, fallback, warn, none. Within exclude, adjust and warn the order of
// the rules cannot matter; in set the last match wins and every overwrite is shown; in hold, choose and rank the first match wins.
//
// What rules ask for beside the order (how many bookings an account had, what was spent of a budget) is told by Needs, counted by the caller,
// and recorded with the rest. A guard may hold an order after the carriers have answered: then Decision.Hold is set and there is no winner.
//
// A Decision is a record: it holds everything that it was made from, so that Recompute gives the same bytes years later, and
// Explain shows the value of every part of every rule. For that reason the package reads no clock, no network and no random
// source, and an expression can see nothing but its Input, the offers and the lists of its bundle.
//
// Beside the language stand its tools, each behind a command of `waybill rules`: tests of rules as files (LoadSuites, Verify), Coverage, RunBacktest
// over stored records, Lint and DryRun, Diff, Format, Reference and the JSON Schemas.
package rules
