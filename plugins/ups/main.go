// Command waybill-carrier-ups is the adapter for UPS's REST APIs: rating with time in transit, shipping, void, label recovery,
// tracking and address validation.
//
// One file per question that the engine asks (rate, ship, void, find, label, track, address) holds the method, the shapes on
// the wire and the mapping between them; client.go sends, errors.go says what a refusal means. What is known of UPS comes
// from its OpenAPI files (github.com/UPS-API/api-documentation) and from recorded answers; where the two differ the recorded
// answer is believed and both are decoded. An unknown member, code or status never fails an answer.
package main

import "github.com/waybill-dev/waybill/sdk/plugin"

func main() { plugin.Serve(adapter) }
