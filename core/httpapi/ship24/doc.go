// Package ship24 serves the tracker API of Ship24, so that what was written for Ship24 follows parcels here with another base URL
// and another key. Paths begin with /public/v1, or with /v1 for short.
//
// A tracker is created by POST /trackers, by POST /trackers/bulk for up to a hundred, or by POST /trackers/track, which waits up to
// a minute for what the carrier says first. The same whole payload, whatever the order of its members, is the same tracker; any
// other payload is another one. One that was unsubscribed is subscribed again. GET lists trackers by page, and tells results by the tracker's id, by the caller's own
// (?searchBy=clientTrackerId) or by number. PATCH with isSubscribed false stops following, for there is no DELETE, and sets the
// clientTrackerId free for another tracker. POST /tracking/search asks the carrier once and keeps nothing.
//
// Which carrier is asked: the accounts of the tenant by courierCode in its order, then, unless settings.restrictTrackingToCourierCode,
// those of the couriers that the number may be of. Codes are those of GET /couriers; an account's id and an adapter's name are taken
// too. Where no account answers, the tracker stays pending and isTracked is false.
//
// Ids are UUIDs: those of trackers hold the engine's own id, and both forms are taken. Members that nobody told are null. Of
// numbers that cannot be (a run such as 12345678, or one character again and again) creation is refused. Times of
// events are shown as the carrier's clock showed them, in one of Ship24's four shapes: with Z, with an offset, without a zone where it
// gave none, or the day alone. Where it told a moment and no clock they are in UTC. A shippingDate is shown as it came.
//
// What is known of people is erased by POST /trackers/{id}/erase of the Tracker API, which takes a trackerId or a clientTrackerId of here.
//
// What is set in Ship24's dashboard is the section ship24 of the tenant's configuration: one webhook with its secret, beside those of
// POST /webhooks, and how many trackers may be created in a month. Of Ship24's codes: shipping_date_outdated is of a shippingDate of more
// than ten years ago, parcel_not_found of a search that the courier answers with not knowing the number, quota_limit_reached of that
// quota, webhook_url_missing of a resend where there is no webhook and no_active_subscription where all are paused or disabled,
// tracker_conflict of a clientTrackerId that another tracker has, request_conflict of a tracker that others keep changing meanwhile.
//
// Keys are the tenant's own. Refusals are in Ship24's envelope with its codes; 429 is plain text, and every answer to a key tells
// RateLimit-Limit, -Remaining and -Reset. Subscribers with the shape ship24 are told each tracker's new events, with
// Authorization: Bearer and the subscription's secret; Webhook words them.
//
// What follows Ship24 is taken from its OpenAPI document, https://docs.ship24.com/assets/openapi/ship24-tracking-api.yaml.
package ship24
