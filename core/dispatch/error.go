package dispatch

import "github.com/waybill-dev/waybill/core/usecase"

// The words that dispatch shares with the other use cases.
type (
	Caller = usecase.Caller
	Error  = usecase.Error
	Type   = usecase.Type
)

// The types that dispatch returns.
const (
	ValidationError         = usecase.ValidationError
	InvalidData             = usecase.InvalidData
	DuplicateID             = usecase.DuplicateID
	DuplicateName           = usecase.DuplicateName
	DuplicateResource       = usecase.DuplicateResource
	NotFound                = usecase.NotFound
	NoProviderAssigned      = usecase.NoProviderAssigned
	NoProviderMatched       = usecase.NoProviderMatched
	PlaceOrderFailed        = usecase.PlaceOrderFailed
	GeocodingFailed         = usecase.GeocodingFailed
	UnmappedError           = usecase.UnmappedError
	CancellationNotAllowed  = usecase.CancellationNotAllowed
	OrderCancellationFailed = usecase.OrderCancellationFailed
	OrderAlreadyCanceled    = usecase.OrderAlreadyCanceled
	InvalidOperation        = usecase.InvalidOperation
	InternalServerError     = usecase.InternalServerError
)

func failf(t Type, format string, args ...any) *Error { return usecase.Failf(t, format, args...) }
