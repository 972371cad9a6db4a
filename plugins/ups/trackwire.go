package main

// The answer of Tracking, as much of it as events need. UPS writes null for what it does not know, and now and then a plain
// string where its schema has a list.
type (
	trackAnswer struct {
		TrackResponse many[struct {
			Shipment many[trackedShipment] `json:"shipment"`
		}] `json:"trackResponse"`
	}
	// trackedShipment has no package, and a warning TW0001 in an HTTP 200, where UPS does not know the number.
	trackedShipment struct {
		Package many[trackedPackage] `json:"package"`
	}
	trackedPackage struct {
		TrackingNumber          text             `json:"trackingNumber"`
		AlternateTrackingNumber many[numbered]   `json:"alternateTrackingNumber"`
		ReferenceNumber         many[numbered]   `json:"referenceNumber"`
		StatusCode              text             `json:"statusCode"`
		PackageCount            text             `json:"packageCount"` // of its shipment
		CurrentStatus           many[status]     `json:"currentStatus"`
		Activity                many[activity]   `json:"activity"` // newest first, not strictly by time
		DeliveryDate            many[typedDate]  `json:"deliveryDate"`
		DeliveryTime            many[typedTime]  `json:"deliveryTime"`
		PackageAddress          many[typedPlace] `json:"packageAddress"`
		DeliveryInformation     many[struct {
			ReceivedBy text `json:"receivedBy"`
		}] `json:"deliveryInformation"`
	}
	numbered struct {
		Type   text `json:"type"`
		Number text `json:"number"`
	}
	// status is told apart by type and code together: DP is "departed" under I and "cannot ship" under X. A package's
	// currentStatus has the three digits in code and no type.
	status struct {
		Type        text `json:"type"`
		Code        text `json:"code"`
		StatusCode  text `json:"statusCode"`
		Description text `json:"description"`
	}
	activity struct {
		Date      text         `json:"date"` // YYYYMMDD, local
		Time      text         `json:"time"` // HHMMSS, local
		GMTDate   text         `json:"gmtDate"`
		GMTTime   text         `json:"gmtTime"`   // HH:MM:SS
		GMTOffset text         `json:"gmtOffset"` // -08:00
		Status    many[status] `json:"status"`
		Location  many[struct {
			Address many[place] `json:"address"`
		}] `json:"location"`
	}
	place struct {
		City          text `json:"city"`
		StateProvince text `json:"stateProvince"`
		PostalCode    text `json:"postalCode"`
		CountryCode   text `json:"countryCode"`
		Country       text `json:"country"`
	}
	typedDate struct {
		Type text `json:"type"` // SDD scheduled, RDD rescheduled, DEL delivered
		Date text `json:"date"`
	}
	typedTime struct {
		Type      text `json:"type"` // EOD, CMT, EDW, CDW, IDW, DEL
		StartTime text `json:"startTime"`
		EndTime   text `json:"endTime"`
	}
	typedPlace struct {
		Type    text        `json:"type"` // ORIGIN, DESTINATION
		Address many[place] `json:"address"`
	}
)
