package main

// The request of Shipping v2409.
type (
	shipRequest struct {
		ShipmentRequest struct {
			Request struct {
				RequestOption        string      `json:"RequestOption"`
				SubVersion           string      `json:"SubVersion"`
				TransactionReference transaction `json:"TransactionReference"`
			} `json:"Request"`
			Shipment           shipShipment       `json:"Shipment"`
			LabelSpecification labelSpecification `json:"LabelSpecification"`
		} `json:"ShipmentRequest"`
	}
	shipShipment struct {
		Description             string           `json:"Description,omitempty"`
		ReturnService           codeOf           `json:"ReturnService,omitzero"`
		Shipper                 shipParty        `json:"Shipper"`
		ShipTo                  shipParty        `json:"ShipTo"`
		ShipFrom                shipParty        `json:"ShipFrom"`
		PaymentInformation      payment          `json:"PaymentInformation"`
		Service                 codeOf           `json:"Service"`
		ShipmentRatingOptions   ratingOptions    `json:"ShipmentRatingOptions,omitzero"`
		TaxInformationIndicator mark             `json:"TaxInformationIndicator,omitzero"`
		ReferenceNumber         []reference      `json:"ReferenceNumber,omitempty"`
		InvoiceLineTotal        *amount          `json:"InvoiceLineTotal,omitempty"`
		ShipmentServiceOptions  *shipmentOptions `json:"ShipmentServiceOptions,omitempty"`
		ShipmentDate            string           `json:"ShipmentDate,omitempty"`
		Package                 []shipPackage    `json:"Package"`
	}
	shipParty struct {
		Name          string       `json:"Name"`
		AttentionName string       `json:"AttentionName,omitempty"`
		Phone         *phoneNumber `json:"Phone,omitempty"`
		ShipperNumber string       `json:"ShipperNumber,omitempty"`
		EMailAddress  string       `json:"EMailAddress,omitempty"`
		Address       address      `json:"Address"`
	}
	phoneNumber struct {
		Number string `json:"Number"`
	}
	reference struct {
		Value string `json:"Value"`
	}
	shipPackage struct {
		Description           string          `json:"Description,omitempty"`
		Packaging             codeOf          `json:"Packaging"`
		Dimensions            *dimensions     `json:"Dimensions,omitempty"`
		PackageWeight         measured        `json:"PackageWeight"`
		ReferenceNumber       []reference     `json:"ReferenceNumber,omitempty"`
		PackageServiceOptions *packageOptions `json:"PackageServiceOptions,omitempty"`
	}
	labelSpecification struct {
		LabelImageFormat codeOf `json:"LabelImageFormat"`
		HTTPUserAgent    string `json:"HTTPUserAgent,omitempty"`
		LabelStockSize   struct {
			Height string `json:"Height"`
			Width  string `json:"Width"`
		} `json:"LabelStockSize"`
	}
)

// The answer of Shipping, as much of it as a booking needs.
type (
	shipAnswer struct {
		ShipmentResponse many[struct {
			Response        many[answered]     `json:"Response"`
			ShipmentResults many[shipmentMade] `json:"ShipmentResults"`
		}] `json:"ShipmentResponse"`
	}
	answered struct {
		Alert many[coded] `json:"Alert"`
	}
	shipmentMade struct {
		ShipmentIdentificationNumber text              `json:"ShipmentIdentificationNumber"` // the first package's, and the key to void
		ShipmentCharges              many[charges]     `json:"ShipmentCharges"`
		NegotiatedRateCharges        many[negotiated]  `json:"NegotiatedRateCharges"`
		PackageResults               many[packageMade] `json:"PackageResults"`
	}
	packageMade struct {
		TrackingNumber text `json:"TrackingNumber"`
		USPSPICNumber  text `json:"USPSPICNumber"`
		ShippingLabel  many[struct {
			ImageFormat  many[coded] `json:"ImageFormat"`
			GraphicImage text        `json:"GraphicImage"`
		}] `json:"ShippingLabel"`
	}
)
