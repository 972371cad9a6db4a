package returns

import (
	"bytes"
	"fmt"
	"image/png"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

// codeSize is the width of the picture in pixels: enough to be read from any screen.
const codeSize = 360

func qrCode(text string) ([]byte, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err == nil {
		code, err = barcode.Scale(code, codeSize, codeSize)
	}
	if err != nil {
		return nil, fmt.Errorf("draw the code of a return: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, code); err != nil {
		return nil, fmt.Errorf("write the code of a return: %w", err)
	}
	return b.Bytes(), nil
}
