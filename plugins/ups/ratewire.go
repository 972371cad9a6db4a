package main

// The request of Rating v2409. Names differ from Shipping's: PackagingType for Packaging, PaymentDetails for
// PaymentInformation.
type (
	rateRequest struct {
		RateRequest struct {
			Request struct {
				RequestOption        string      `json:"RequestOption"`
				SubVersion           string      `json:"SubVersion"`
				TransactionReference transaction `json:"TransactionReference"`
			} `json:"Request"`
			PickupType             codeOf       `json:"PickupType"`
			CustomerClassification codeOf       `json:"CustomerClassification,omitzero"`
			Shipment               rateShipment `json:"Shipment"`
		} `json:"RateRequest"`
	}
	rateShipment struct {
		Shipper                 rateParty        `json:"Shipper"`
		ShipTo                  rateParty        `json:"ShipTo"`
		ShipFrom                rateParty        `json:"ShipFrom"`
		PaymentDetails          payment          `json:"PaymentDetails"`
		Package                 []ratePackage    `json:"Package"`
		ShipmentServiceOptions  *shipmentOptions `json:"ShipmentServiceOptions,omitempty"`
		ShipmentRatingOptions   ratingOptions    `json:"ShipmentRatingOptions,omitzero"`
		InvoiceLineTotal        *amount          `json:"InvoiceLineTotal,omitempty"`
		ShipmentTotalWeight     *measured        `json:"ShipmentTotalWeight,omitempty"`
		TaxInformationIndicator mark             `json:"TaxInformationIndicator,omitzero"`
		DeliveryTimeInformation struct {
			PackageBillType string `json:"PackageBillType"`
			Pickup          struct {
				Date string `json:"Date"`
				Time string `json:"Time"`
			} `json:"Pickup"`
		} `json:"DeliveryTimeInformation"`
	}
	rateParty struct {
		Name          string  `json:"Name,omitempty"`
		AttentionName string  `json:"AttentionName,omitempty"`
		ShipperNumber string  `json:"ShipperNumber,omitempty"`
		Address       address `json:"Address"`
	}
	ratePackage struct {
		PackagingType         codeOf          `json:"PackagingType"`
		Dimensions            *dimensions     `json:"Dimensions,omitempty"`
		PackageWeight         measured        `json:"PackageWeight"`
		PackageServiceOptions *packageOptions `json:"PackageServiceOptions,omitempty"`
	}
)

// What Rating and Shipping write alike.
type (
	address struct {
		AddressLine                 []string `json:"AddressLine"`
		City                        string   `json:"City"`
		StateProvinceCode           string   `json:"StateProvinceCode,omitempty"`
		PostalCode                  string   `json:"PostalCode,omitempty"`
		CountryCode                 string   `json:"CountryCode"`
		ResidentialAddressIndicator mark     `json:"ResidentialAddressIndicator,omitzero"`
		POBoxIndicator              mark     `json:"POBoxIndicator,omitzero"`
	}
	payment struct {
		ShipmentCharge []shipmentCharge `json:"ShipmentCharge"`
	}
	shipmentCharge struct {
		Type        string `json:"Type"`
		BillShipper struct {
			AccountNumber string `json:"AccountNumber"`
		} `json:"BillShipper"`
	}
	dimensions struct {
		UnitOfMeasurement codeOf `json:"UnitOfMeasurement"`
		Length            string `json:"Length"`
		Width             string `json:"Width"`
		Height            string `json:"Height"`
	}
	measured struct {
		UnitOfMeasurement codeOf `json:"UnitOfMeasurement"`
		Weight            string `json:"Weight"`
	}
	amount struct {
		CurrencyCode  string `json:"CurrencyCode"`
		MonetaryValue string `json:"MonetaryValue"`
	}
	ratingOptions struct {
		NegotiatedRatesIndicator mark `json:"NegotiatedRatesIndicator,omitzero"`
	}
	packageOptions struct {
		DeliveryConfirmation confirmation `json:"DeliveryConfirmation"`
	}
	shipmentOptions struct {
		SaturdayDeliveryIndicator   mark          `json:"SaturdayDeliveryIndicator,omitzero"`
		AvailableServicesOption     string        `json:"AvailableServicesOption,omitempty"`
		DirectDeliveryOnlyIndicator mark          `json:"DirectDeliveryOnlyIndicator,omitzero"`
		ReturnService               *codeOf       `json:"ReturnService,omitempty"` // Rating's; Shipping has it at the shipment
		DeliveryConfirmation        *confirmation `json:"DeliveryConfirmation,omitempty"`
	}
	confirmation struct {
		DCISType string `json:"DCISType"`
	}
)

// The answer of Rating, as much of it as a quote needs.
type (
	rateAnswer struct {
		RateResponse many[struct {
			RatedShipment many[ratedShipment] `json:"RatedShipment"`
		}] `json:"RateResponse"`
	}
	ratedShipment struct {
		Service            many[coded] `json:"Service"`
		RatedShipmentAlert many[coded] `json:"RatedShipmentAlert"`
		charges
		NegotiatedRateCharges many[negotiated]         `json:"NegotiatedRateCharges"`
		GuaranteedDelivery    many[guaranteedDelivery] `json:"GuaranteedDelivery"`
		TimeInTransit         many[timeInTransit]      `json:"TimeInTransit"`
	}
	// charges are an account's published rates; Ship writes them alike.
	charges struct {
		TransportationCharges many[paid] `json:"TransportationCharges"`
		ServiceOptionsCharges many[paid] `json:"ServiceOptionsCharges"`
		TaxCharges            many[tax]  `json:"TaxCharges"`
		TotalCharges          many[paid] `json:"TotalCharges"`
		TotalChargesWithTaxes many[paid] `json:"TotalChargesWithTaxes"`
	}
	// negotiated are the account's own rates: absent where it has none, and with a total that is singular.
	negotiated struct {
		BaseServiceCharge     many[paid]     `json:"BaseServiceCharge"`
		ItemizedCharges       many[itemized] `json:"ItemizedCharges"`
		TaxCharges            many[tax]      `json:"TaxCharges"`
		TotalCharge           many[paid]     `json:"TotalCharge"`
		TotalChargesWithTaxes many[paid]     `json:"TotalChargesWithTaxes"`
	}
	paid struct {
		CurrencyCode  text `json:"CurrencyCode"`
		MonetaryValue text `json:"MonetaryValue"`
	}
	itemized struct {
		Code          text `json:"Code"`
		Description   text `json:"Description"`
		SubType       text `json:"SubType"`
		CurrencyCode  text `json:"CurrencyCode"`
		MonetaryValue text `json:"MonetaryValue"`
	}
	tax struct {
		Type          text `json:"Type"`
		MonetaryValue text `json:"MonetaryValue"`
	}
	guaranteedDelivery struct {
		BusinessDaysInTransit text `json:"BusinessDaysInTransit"`
		DeliveryByTime        text `json:"DeliveryByTime"`        // "10:30 A.M."
		ScheduledDeliveryDate text `json:"ScheduledDeliveryDate"` // YYYYMMDD
	}
	timeInTransit struct {
		ServiceSummary many[struct {
			GuaranteedIndicator mark            `json:"GuaranteedIndicator"`
			SaturdayDelivery    text            `json:"SaturdayDelivery"` // 0 or 1
			EstimatedArrival    many[estimated] `json:"EstimatedArrival"`
		}] `json:"ServiceSummary"`
	}
	estimated struct {
		Arrival               many[localTime] `json:"Arrival"`
		Pickup                many[localTime] `json:"Pickup"`
		BusinessDaysInTransit text            `json:"BusinessDaysInTransit"`
		TotalTransitDays      text            `json:"TotalTransitDays"`
	}
	// localTime is a day and a time where the parcel is: YYYYMMDD, and HHMMSS or HHMM.
	localTime struct {
		Date text `json:"Date"`
		Time text `json:"Time"`
	}
)
