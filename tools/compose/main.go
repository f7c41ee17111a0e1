// Reads a compose file as the specification's own reader does: schema, interpolation, references between services.
//
//	validator docker-compose.yml [PROFILE,...]
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	profiles := []string{}
	if len(os.Args) > 2 && os.Args[2] != "" {
		profiles = strings.Split(os.Args[2], ",")
	}
	options, err := cli.NewProjectOptions(os.Args[1:2], cli.WithProfiles(profiles), cli.WithName("scorer"))
	if err == nil {
		project, failed := options.LoadProject(context.Background())
		if err = failed; err == nil {
			fmt.Println(strings.Join(project.ServiceNames(), " "))
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
