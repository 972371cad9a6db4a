// Package core tells the story of one order; only the packages below it hold code.
//
// An order comes in over HTTP (httpapi). The key says whose it is, the body is decoded, and every fault of it is answered at
// once. The use case (dispatch) finds the location, places the address (geo), and saves the order with its idempotency key and
// a dispatch job that is leased to this process (store): from here on nothing that was acknowledged can be lost, for whatever
// dies, the job is still there and is taken up by the runner (jobs).
//
// The rules say whom to ask (rules.Prepare). Every account is asked at once, each under its own deadline (carrierhost, which
// starts, supervises and restarts the adapter processes); a failure is data and spoils nothing. The rules decide
// (rules.Decide), and one transaction holds what was learned: the quotes, the refusals, the decision record, and the intent to
// book, with the reference and the deadline of the call. Only then is the carrier asked.
//
// What came of it is one transaction again. A booking dispatches the order and keeps the label. A refusal moves to the next in
// the ranking. An answer that was lost leaves the attempt in doubt: no other carrier is asked until a reconcile job has found
// the booking and adopted it, or knows that there is none. No carrier is ever called inside a transaction.
//
// With the booking its tracker is committed, and from here on the order is followed (tracking): carriers are asked at a pace that
// fits the milestone, their pushes are taken, and people may set what they know. All of it is merged into one timeline by the
// carrier's own times (tracker), so that neither doubled nor late nor lost news change what it says; tracker and order move in one
// transaction, and a push is acknowledged when that is written. News of what nobody follows yet are parked until somebody does.
//
// Each line of the order's history is put into the tenant's log of messages by the transaction that makes it, where somebody wants
// to be told (notify). Webhooks read the log at their own pace, each for itself; buyers are told by mail and SMS the same way.
//
// Orders that a web shop has shipped elsewhere come in by the shop's webhooks (shop): each fulfilment is followed like any other
// parcel, and a job of its order tells what the fulfilments have come to.
//
// Time and randomness are injected (clock), configuration is one checked snapshot at a time (config), and one package puts a
// node together and takes it apart in order (node).
package core
