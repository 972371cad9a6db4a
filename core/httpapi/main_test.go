package httpapi_test

import (
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

func TestMain(m *testing.M) { apitest.Leaks(m) }
