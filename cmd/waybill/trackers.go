package main

import (
	"fmt"

	"github.com/spf13/cobra"

	tracknumber "github.com/waybill-dev/waybill/core/tracker/number"
)

func newTrackersCmd(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "trackers", Aliases: []string{"tracker"}, Short: "Follow parcels by their tracking numbers",
		Long: "Follow parcels and deliveries that were booked elsewhere, at a running engine.\n\n" +
			"Exit codes: 1 where the engine refuses, 2 where the command is wrong, 3 where no engine answers.",
	}
	cmd.AddCommand(newDetectCmd(p))
	f := &clientFlags{}
	for _, c := range trackerCmds(p, f) {
		f.add(c)
		cmd.AddCommand(c)
	}
	return asGroup(cmd)
}

func newDetectCmd(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "detect NUMBER", Short: "Tell which couriers may have given a tracking number", Args: cobra.ExactArgs(1),
		Long: "Tell from a tracking number alone which couriers may have given it, best first. No engine is asked, and no courier.\n" +
			"Spaces, hyphens and small letters do not matter.\n\n" +
			"Exit codes: 0 where a format fits, be its check digit right or wrong; 1 where none does; 2 for what can be no number.",
		Example: "  waybill trackers detect 1Z5R89390357567127\n  waybill trackers detect '9400 1112 0620 6406 2607 87' --json",
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case tracknumber.Normalize(args[0]) == "":
				return usageError(fmt.Errorf("the tracking number is empty"))
			case len(args[0]) > tracknumber.MaxLength:
				return usageError(fmt.Errorf("the tracking number has %d bytes; there is none with more than %d", len(args[0]), tracknumber.MaxLength))
			}
			found := tracknumber.Detect(args[0])
			show := p.showCandidates
			if asJSON {
				show = func(found []tracknumber.Candidate) error { return p.printJSON(found) }
			}
			if len(found) > 0 || asJSON {
				if err := show(found); err != nil {
					return err
				}
			}
			if len(found) == 0 {
				return fmt.Errorf("%q is in no known courier's format; look whether it is complete, or name the courier where you use it", printable(args[0]))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the candidates as JSON")
	return cmd
}

func (p *program) showCandidates(found []tracknumber.Candidate) error {
	t := newTable(p.out, "COURIER", "NAME", "FORMAT", "CHECK DIGIT")
	for _, c := range found {
		courier, _ := tracknumber.Lookup(c.Courier)
		digit := "right"
		switch {
		case !c.Checked:
			digit = "none"
		case !c.Valid:
			digit = "wrong"
		}
		t.row(c.Courier, courier.Name, c.Format, digit)
	}
	if err := t.flush(); err != nil {
		return err
	}
	note := ""
	switch {
	case tracknumber.Ambiguous(found):
		note = "\nAmbiguous: numbers of several couriers look like this. The first is the likeliest; name the courier where you know it.\n"
	case !found[0].Valid:
		note = "\nIts check digit is wrong: look for a slip of the pen. Numbers of carriers' test hosts are like this.\n"
	}
	_, err := fmt.Fprint(p.out, note)
	return err
}
