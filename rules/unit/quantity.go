package unit

// quantity is a reduced fraction; the zero value is 0.
type quantity struct{ n, d int64 }

// Weight is a mass; its base unit is the gram.
type Weight struct{ quantity }

// Length is a length; its base unit is the millimetre.
type Length struct{ quantity }

// Volume is a volume; its base unit is the cubic millimetre.
type Volume struct{ quantity }

// Distance is a way; its base unit is the metre.
type Distance struct{ quantity }
