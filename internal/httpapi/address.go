package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Address is the client's, which a trusted proxy may tell. It is "" if the connection has none.
func Address(r *http.Request, trusted []netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	chain := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
	for i := len(chain) - 1; i >= 0; i-- {
		ip, err := netip.ParseAddr(host)
		if err != nil || !trusts(trusted, ip) {
			break
		}
		if next := strings.TrimSpace(chain[i]); next != "" {
			host = next
		}
	}
	return host
}

func trusts(trusted []netip.Prefix, ip netip.Addr) bool {
	for _, p := range trusted {
		if p.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}

// Network is whom an address, with or without its port, is counted for: the address itself, or the network of 64 bits that
// one customer has with IPv6. What is no address is counted as one.
func Network(address string) netip.Addr {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Addr{}
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		prefix, err := ip.Prefix(64)
		if err != nil {
			return ip
		}
		return prefix.Addr()
	}
	return ip
}
