package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// trackerCmds are the commands that ask a running engine.
func trackerCmds(p *program, f *clientFlags) []*cobra.Command {
	one := func(use, short, method, path string, show func(*program, answer) error) *cobra.Command {
		return trackerKind.one(p, f, use, short, method, path, show)
	}
	return []*cobra.Command{
		newTrackerCreateCmd(p, f), newTrackerListCmd(p, f), trackerKind.status(p, f, "OUT_FOR_DELIVERY"),
		one("get", "Show a tracker", http.MethodGet, "", (*program).showTracker),
		one("events", "Show what has happened, oldest first", http.MethodGet, "/events", (*program).showEvents),
		one("delete", "Stop following, and forget what was known", http.MethodDelete, "", (*program).showTracker),
		newTrackerEraseCmd(p, f),
	}
}

func newTrackerEraseCmd(p *program, f *clientFlags) *cobra.Command {
	var surface string
	cmd := &cobra.Command{
		Use: "erase " + trackerKind.arg, Short: "Erase what is known of people from a tracker of any surface", Args: cobra.ExactArgs(1),
		Long: "Erase what is known of people: contact, address, free words, and the messages that told of them. Numbers and what happened when stay.\n" +
			"It cannot be undone.\n\n" +
			"The id is of any surface: a tracker's own or its trackerExternalId; Ship24's trackerId or clientTrackerId; a shop's id of an order or\n" +
			"of a fulfillment, of which the whole order goes with all its fulfillments. What the tenant has booked itself is erased with\n" +
			"waybill shipments erase. By age, the configuration erases (retention: personal).",
		Example: "  waybill trackers erase tracker001\n  waybill trackers erase 820982911946154508 --surface tracktor",
		RunE: func(cmd *cobra.Command, args []string) error {
			path := trackerPath(args[0], "/erase")
			if surface != "" {
				path += "?" + url.Values{"surface": {surface}}.Encode()
			}
			return p.ask(cmd.Context(), f, http.MethodPost, path, nil, (*program).showTracker)
		},
	}
	cmd.Flags().StringVar(&surface, "surface", "", "which surface the id is of, where it could be of several: tracker, ship24 or tracktor")
	return cmd
}

func newTrackerCreateCmd(p *program, f *clientFlags) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "create -f FILE", Short: "Follow a parcel or delivery that was booked elsewhere", Args: cobra.NoArgs,
		Example: "  waybill trackers create -f tracker.json\n" +
			"  echo '{\"trackingId\":\"1Z5R89390357567127\",\"locationExternalId\":\"7709\",\"type\":\"pickup\"}' | waybill trackers create -f -",
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := p.read(file)
			if err != nil {
				return err
			}
			return p.ask(cmd.Context(), f, http.MethodPost, "/trackers", body, (*program).showTracker)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with the tracker in JSON; - for standard input")
	return cmd
}

func newTrackerListCmd(p *program, f *clientFlags) *cobra.Command {
	var limit int
	var group, page string
	var statuses []string
	cmd := &cobra.Command{
		Use: "list", Short: "List trackers, newest first", Args: cobra.NoArgs,
		Example: "  waybill trackers list --status IN_TRANSIT,OUT_FOR_DELIVERY --limit 20",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usageError(errors.New("--limit must be 1 or more"))
			}
			v := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, text := range map[string]string{"groupId": group, "paginationToken": page, "status": strings.Join(statuses, ",")} {
				if text != "" {
					v.Set(name, text)
				}
			}
			return p.ask(cmd.Context(), f, http.MethodGet, "/trackers?"+v.Encode(), nil, (*program).showTrackers)
		},
	}
	fl := cmd.Flags()
	fl.IntVar(&limit, "limit", 50, "trackers a page, at most 1000")
	fl.StringVar(&group, "group", "", "only this group")
	fl.StringSliceVar(&statuses, "status", nil, "only these statuses")
	fl.StringVar(&page, "page", "", "the page that another list has named")
	return cmd
}

// trackerView is what people are shown of a tracker.
type trackerView struct {
	ID                    string              `json:"id"`
	TrackerExternalID     string              `json:"trackerExternalId"`
	TrackingID            string              `json:"trackingId"`
	Type                  string              `json:"type"`
	GroupID               string              `json:"groupId"`
	Status                string              `json:"status"`
	SubStatus             string              `json:"subStatus"`
	Milestone             string              `json:"milestone"`
	EstimatedDeliveryTime shipping.TimeWindow `json:"estimatedDeliveryTime"`
	ActualDeliveryTime    shipping.Instant    `json:"actualDeliveryTime"`
	CreatedAt             string              `json:"createdAt"`
	Provider              struct {
		DisplayName string `json:"displayName"`
	} `json:"provider"`
	ReferenceLinks struct {
		CustomerWebflowURL string `json:"customerWebflowUrl"`
		TrackingURL        string `json:"trackingUrl"`
	} `json:"referenceLinks"`
	Warnings warnings `json:"warnings"`
}

func (p *program) showTracker(a answer) error {
	var v trackerView
	if err := a.decode(&v); err != nil {
		return err
	}
	t := newTable(p.out)
	t.field("tracker", v.TrackerExternalID)
	t.field("id", v.ID)
	t.field("status", strings.TrimSpace(v.Status+" "+v.SubStatus))
	t.field("milestone", v.Milestone)
	t.field("carrier", v.Provider.DisplayName)
	t.field("tracking number", v.TrackingID)
	t.field("type", v.Type)
	t.field("group", v.GroupID)
	t.field("delivery", firstOf(at(v.ActualDeliveryTime), estimate(v.EstimatedDeliveryTime)))
	t.field("buyer's page", v.ReferenceLinks.CustomerWebflowURL)
	t.field("carrier's page", v.ReferenceLinks.TrackingURL)
	v.Warnings.show(t)
	return t.flush()
}

func (p *program) showTrackers(a answer) error {
	var v struct {
		Data  []trackerView `json:"data"`
		Pages pages         `json:"paginationToken"`
	}
	if err := a.decode(&v); err != nil {
		return err
	}
	if len(v.Data) == 0 {
		_, err := fmt.Fprintln(p.out, "no trackers")
		return err
	}
	t := newTable(p.out, "TRACKER", "STATUS", "CARRIER", "TRACKING NUMBER", "CREATED")
	for i := range v.Data {
		x := &v.Data[i]
		t.row(firstOf(x.TrackerExternalID, x.ID), x.Status, x.Provider.DisplayName, x.TrackingID, x.CreatedAt)
	}
	if err := t.flush(); err != nil {
		return err
	}
	return v.Pages.show(p.out)
}

func (p *program) showEvents(a answer) error {
	var v struct {
		Events []struct {
			Time         shipping.Instant `json:"time"`
			Status       string           `json:"status"`
			SubStatus    string           `json:"subStatus"`
			CarrierWords string           `json:"carrierWords"`
			Note         string           `json:"note"`
			Source       string           `json:"source"`
			Place        struct {
				City  string `json:"city"`
				State string `json:"state"`
			} `json:"place"`
		} `json:"events"`
	}
	if err := a.decode(&v); err != nil {
		return err
	}
	if len(v.Events) == 0 {
		_, err := fmt.Fprintln(p.out, "nothing has happened yet")
		return err
	}
	t := newTable(p.out, "TIME", "STATUS", "PLACE", "WORDS", "SOURCE")
	for _, e := range v.Events {
		t.row(at(e.Time), strings.TrimSpace(e.Status+" "+e.SubStatus), strings.Join(notEmpty(e.Place.City, e.Place.State), " "), firstOf(e.CarrierWords, e.Note), e.Source)
	}
	return t.flush()
}
