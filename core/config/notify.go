package config

import (
	"fmt"
	"maps"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Notify is how a tenant and its buyers are told what happens.
type Notify struct {
	// AllowPrivate lets webhooks lead to loopback, private and link-local addresses: for a subscriber in the operator's own network.
	AllowPrivate bool   `yaml:"allow_private"`
	Alerts       Alerts `yaml:"alerts"`
	Staff        Staff  `yaml:"staff"`
}

// Staff are the tenant's own people, whom rules may want to be told by the names that they have here.
type Staff struct {
	Mail   *MailServer         `yaml:"mail"`   // default that of alerts.email
	People map[string][]string `yaml:"people"` // addresses of mail by name: manager, store, …
}

// MailServer is where mail is sent from, over SMTP.
type MailServer struct {
	Host     string `yaml:"host"`
	Port     int    `yaml:"port"`     // default 587 with starttls, 465 with tls, 25 with none
	Security string `yaml:"security"` // starttls (default), tls, none
	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
	From     string `yaml:"from"` // an address, or Name <address>
}

func (m *MailServer) defaults() {
	fill(&m.Security, securitySTARTTLS)
	fill(&m.Port, map[string]int{securityTLS: 465, securityNone: 25}[m.Security])
	fill(&m.Port, 587)
}

// StaffServer is the server that mails to the tenant's own people go by, nil where none of them has an address.
func (n *Notify) StaffServer() *MailServer {
	switch {
	case len(n.Staff.People) == 0:
		return nil
	case n.Staff.Mail == nil && n.Alerts.Email != nil:
		m := n.Alerts.Email.Server()
		return &m
	}
	return n.Staff.Mail
}

// Alerts are messages to buyers. There are none unless a medium is configured.
type Alerts struct {
	Email *EmailAlerts `yaml:"email"`
	SMS   *SMSAlerts   `yaml:"sms"`
	// Locale is the language for orders that name none, or one without templates; default en.
	Locale string `yaml:"locale"`
	// Templates are own words by locale ("fr", "pt-BR") and status, or ReturnTemplate and status for what is on its way back; where they
	// are silent the built-in ones speak (en, es, fr, de).
	Templates map[string]map[string]AlertTemplate `yaml:"templates"`
}

// ReturnTemplate is what the name of a template about a return begins with: return.ORDER_DELIVERED.
const ReturnTemplate = "return."

// AlertTemplate are the words about one status, as templates of text/template. Members: .Shop .Order .Name .Status .TrackingNumber
// .TrackingURL .Provider .Estimate. TrackingURL is the tenant's own page where it has the portal on, else the carrier's, or "".
type AlertTemplate struct {
	Subject string `yaml:"subject"` // of mail
	Text    string `yaml:"text"`    // of mail
	SMS     string `yaml:"sms"`
}

// EmailAlerts sends mail over SMTP.
type EmailAlerts struct {
	Statuses []string `yaml:"statuses"` // which are told, such as OUT_FOR_DELIVERY
	Host     string   `yaml:"host"`
	Port     int      `yaml:"port"`     // default 587 with starttls, 465 with tls, 25 with none
	Security string   `yaml:"security"` // starttls (default), tls, none
	Username string   `yaml:"username"`
	Password Secret   `yaml:"password"`
	From     string   `yaml:"from"` // an address, or Name <address>
}

// Server is the server that the mails go by.
func (e *EmailAlerts) Server() MailServer {
	return MailServer{Host: e.Host, Port: e.Port, Security: e.Security, Username: e.Username, Password: e.Password, From: e.From}
}

// SMSAlerts posts to a gateway over HTTP.
type SMSAlerts struct {
	Statuses []string          `yaml:"statuses"`
	URL      string            `yaml:"url"`     // a template as Body is
	Method   string            `yaml:"method"`  // POST (default), PUT or GET
	Headers  map[string]Secret `yaml:"headers"` // such as Authorization
	// Body is a template with .To .From .Text .ID and the functions json and query, which quote a value; default a JSON object
	// {"to","from","text","id"}.
	Body string `yaml:"body"`
	From string `yaml:"from"` // number or name that buyers see
}

// Alert media.
const (
	securitySTARTTLS = "starttls"
	securityTLS      = "tls"
	securityNone     = "none"
	defaultSMSBody   = `{"to":{{json .To}},"from":{{json .From}},"text":{{json .Text}},"id":{{json .ID}}}`
)

func (n *Notify) defaults() {
	fill(&n.Alerts.Locale, "en")
	if e := n.Alerts.Email; e != nil {
		m := e.Server()
		m.defaults()
		e.Security, e.Port = m.Security, m.Port
	}
	if m := n.Staff.Mail; m != nil {
		m.defaults()
	}
	if s := n.Alerts.SMS; s != nil {
		fill(&s.Method, "POST")
		fill(&s.Body, defaultSMSBody)
		if s.Headers == nil {
			s.Headers = map[string]Secret{}
		}
		if _, ok := s.Headers["Content-Type"]; !ok && s.Body == defaultSMSBody {
			s.Headers["Content-Type"] = "application/json"
		}
	}
}

func checkNotify(n *Notify, path string, at reporter) {
	alerts := path + ".alerts"
	if e := n.Alerts.Email; e != nil {
		checkStatuses(e.Statuses, alerts+".email", at)
		checkMailServer(e.Server(), alerts+".email", at)
	}
	checkStaff(n, path+".staff", at)
	if s := n.Alerts.SMS; s != nil {
		checkSMS(s, alerts+".sms", at)
	}
	for _, locale := range slices.Sorted(maps.Keys(n.Alerts.Templates)) {
		for _, status := range slices.Sorted(maps.Keys(n.Alerts.Templates[locale])) {
			where := fmt.Sprintf("%s.templates.%s.%s", alerts, locale, status)
			checkStatus(strings.TrimPrefix(status, ReturnTemplate), where, at)
			t := n.Alerts.Templates[locale][status]
			for name, text := range map[string]string{"subject": t.Subject, "text": t.Text, "sms": t.SMS} {
				if _, err := template.New("").Option("missingkey=error").Parse(text); err != nil {
					at(where+"."+name, "it is a template of Go's text/template", "cannot be read: %v", err)
				}
			}
		}
	}
}

func checkStaff(n *Notify, path string, at reporter) {
	if m := n.Staff.Mail; m != nil {
		checkMailServer(*m, path+".mail", at)
	} else if len(n.Staff.People) > 0 && n.Alerts.Email == nil {
		at(path+".mail", "name host and from, or configure alerts.email, whose server then serves", "is required where people are to get mail")
	}
	for _, name := range slices.Sorted(maps.Keys(n.Staff.People)) {
		for i, address := range n.Staff.People[name] {
			if _, err := mail.ParseAddress(address); err != nil {
				at(fmt.Sprintf("%s.people.%s[%d]", path, name, i), "write it as manager@shop.example", "%q is not an address of mail", address)
			}
		}
	}
}

func checkMailServer(e MailServer, path string, at reporter) {
	if strings.TrimSpace(e.Host) == "" {
		at(path+".host", "name the mail server", "is required")
	}
	if e.Port < 1 || e.Port > 65535 {
		at(path+".port", "587 is usual", "must be between 1 and 65535")
	}
	modes := []string{securitySTARTTLS, securityTLS, securityNone}
	if !slices.Contains(modes, e.Security) {
		at(path+".security", didYouMean(e.Security, modes), "must be starttls, tls or none")
	}
	if e.Security == securityNone && e.Password != "" {
		if ip := net.ParseIP(e.Host); e.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			at(path+".security", "use starttls or tls", "a password would be sent in the clear")
		}
	}
	if _, err := mail.ParseAddress(e.From); err != nil {
		at(path+".from", "write it as: Shop <shop@example.com>", "%q is not an address of mail", e.From)
	}
}

func checkSMS(s *SMSAlerts, path string, at reporter) {
	checkStatuses(s.Statuses, path, at)
	if u, err := url.Parse(s.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		at(path+".url", "write it as https://host/path", "is not a URL")
	}
	methods := []string{"POST", "PUT", "GET"}
	if !slices.Contains(methods, s.Method) {
		at(path+".method", didYouMean(s.Method, methods), "must be POST, PUT or GET")
	}
	quote := func(any) string { return "" }
	for name, text := range map[string]string{"url": s.URL, "body": s.Body} {
		if _, err := template.New("").Funcs(template.FuncMap{"json": quote, "query": quote}).Parse(text); err != nil {
			at(path+"."+name, "it is a template of Go's text/template with .To .From .Text .ID", "cannot be read: %v", err)
		}
	}
}

func checkStatuses(list []string, path string, at reporter) {
	if len(list) == 0 {
		at(path+".statuses", "such as [OUT_FOR_DELIVERY, ORDER_DELIVERED]", "at least one status is needed")
	}
	for i, s := range list {
		checkStatus(s, path+".statuses["+strconv.Itoa(i)+"]", at)
	}
}

func checkStatus(s, path string, at reporter) {
	known := make([]string, len(shipping.Statuses))
	for i, k := range shipping.Statuses {
		known[i] = string(k)
	}
	if !slices.Contains(known, s) {
		at(path, didYouMean(s, known), "%q is not a status", s)
	}
}
