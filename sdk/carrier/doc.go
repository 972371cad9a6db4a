// Package carrier is the contract between the engine and a carrier adapter.
//
// An author writes a configuration struct, an account type that has the abilities of the carrier, and hands both to
// plugin.Serve as an Adapter. Abilities are optional interfaces of one or two methods (Quoter, Booker, Canceler, …), read
// from the account type, so the manifest is known before an account is open and cannot lie.
//
// The same interfaces stand on both sides of the process boundary: the engine calls Quoter.Quote on its view of a remote
// account, the adapter implements it. What happened on the wire travels beside: a call's context carries a Trace, the HTTP
// client of Env records every exchange into it, and the SDK carries it home with the answer or the error.
//
// Every error that an adapter returns is, or is turned into, an *Error, which says whether the carrier has acted (Effect).
// All methods of an account may be called concurrently. All take a context with a deadline and must obey it.
package carrier
