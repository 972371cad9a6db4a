package ship24

// EngineID is idOf for tests of the surface from outside.
var EngineID = idOf

// UUIDOf is uuidOf likewise.
var UUIDOf = uuidOf
