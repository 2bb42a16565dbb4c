package config

import (
	"fmt"
	"net/url"
	"strings"
)

// CheckRemote refuses the address of an `include:remote` that no server could be asked for, whoever would ask.
func CheckRemote(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.ContainsAny(address, "\r\n\t ") {
		return &Refused{Text: fmt.Sprintf("Remote file `%s` does not have a valid address!", address)}
	}
	return nil
}
