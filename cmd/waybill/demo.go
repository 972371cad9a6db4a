package main

import "github.com/spf13/cobra"

func newDemoCmd(p *program) *cobra.Command { return &cobra.Command{Use: "demo"} }
