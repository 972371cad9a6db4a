// Package tracktor is the surface of ShopPad's Tracktor, for clients that speak it, and the door for the webhooks of a Shopify shop.
//
// # For clients
//
// The paths are Tracktor's, /apps/tracktor/api/admin/{uuid}/….json, with the tenant's key as x-api-key. {uuid} is the tenant's id or
// one of its aliases in the configuration (tenants.<id>.tracktor.aliases). An unknown one is 404, and so is one of another
// tenant than the key's. Every success is 200.
//
//	GET    fulfillments/{fulfillment_id}.json
//	GET    orders/{order_id}.json
//	POST   orders/{order_id}.json                {"status", "fulfillment_id", "is_automatic"}
//	GET    status-options.json
//	GET    webhooks.json
//	POST   webhooks.json                         {"topic", "address"}
//	DELETE webhooks/{webhook_id}.json
//
// Tracktor has published its attributes and topics, but neither sample bodies nor errors. The attributes are as published; what is
// not known (the members of latest_status, of status and of carrier beyond slug and name, the bodies of requests, all wrappers,
// the shape of errors) stands in codec.go alone.
//
// A fulfillment is in one of the shop's statuses: order_ready, in_transit, out_for_delivery, delivered, and those that the
// configuration adds. One that stands for a status which carriers tell, such as ORDER_AT_LOCATION, is shown when a carrier tells it;
// one that stands for the same as a built-in status is set by hand. An exception leaves the status where it was: not_found and expired
// (nothing heard for long), exception (late, lost, returning, cancelled), undelivered (tried in vain), pending (the carrier was asked
// and does not know the number yet). A status that is set by hand, any at any time, holds until is_automatic is set to true again.
//
// A webhook is told when a status or an exception changes; scans that change neither are not told. Topics */all hear of every
// change, the others of the one status that they name; */pre_transit is order_ready. An order is in a status when all its
// fulfillments have reached it, and is told when it rises to it. The body is the fulfillment or the order, as GET answers it; the
// header X-Tracktor-Topic is the webhook's topic, and Authorization the bearer_token that its creation has answered.
//
// What is known of people is erased by POST /trackers/{id}/erase of the Tracker API, which takes the id of an order or of a fulfillment here:
// the order goes with all its fulfillments. What the shop says of them later changes nothing; a fulfillment that it adds is followed.
//
// # For the shop
//
// Shopify sends to POST /apps/tracktor/shopify/{uuid}, one address for all topics: orders/create, orders/updated, fulfillments/create
// and fulfillments/update are taken; others are acknowledged and ignored. X-Shopify-Hmac-Sha256 must be the HMAC-SHA256 of the raw
// body with the tenant's webhook_secret. A message may come again (X-Shopify-Webhook-Id), late (what has an older updated_at than what
// is known changes nothing), and a fulfillment before its order. The members that are read are those of Shopify's REST Admin API
// (https://shopify.dev/docs/api/admin-rest): resources Order and Fulfillment.
package tracktor
