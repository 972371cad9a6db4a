package rules

// Problem is one thing wrong with a bundle.
type Problem struct {
	Code       string `json:"code"` // E101 …, stable
	File       string `json:"file"`
	Line       int    `json:"line"`            // from 1
	Column     int    `json:"column"`          // from 1, in characters
	End        int    `json:"end"`             // column after the last character
	Where      string `json:"where,omitempty"` // rule "Name" (exclude)
	Sentence   string `json:"sentence"`
	Hint       string `json:"hint,omitempty"`
	DidYouMean string `json:"did_you_mean,omitempty"`
	Source     string `json:"source,omitempty"` // the line
}

// CheckError is every problem of a bundle, sorted by file and place.
type CheckError struct{ Problems []Problem }

// Error renders the problems with their lines.
func (e *CheckError) Error() string { panic("being written") }
