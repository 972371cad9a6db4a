package usecase

// Notice is what rules want somebody of the tenant's own people to be told about an order.
type Notice struct {
	To      string `json:"notify"` // whom, as the rule calls them: manager, store, …
	Rule    string `json:"rule"`   // of the fallback; none where nobody can carry the order
	Event   string `json:"event"`  // as fallback rules call it; no_option where nobody can carry the order
	Message string `json:"message"`
	Seq     int    `json:"-"` // of the line of the order's history that says so
}
