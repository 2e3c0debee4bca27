package nft

import (
	"fmt"

	"github.com/google/nftables"

	"github.com/eksact/eksact/internal/netns"
)

// Tables are the names of a namespace's tables, whoever made them.
func Tables(ns string) (map[string]bool, error) {
	all := map[string]bool{}
	return all, netns.Do(ns, func() error {
		conn, err := nftables.New()
		if err != nil {
			return fmt.Errorf("opening netfilter: %w", err)
		}
		tables, err := conn.ListTables()
		if err != nil {
			return fmt.Errorf("listing tables of packet rules: %w", err)
		}
		for _, t := range tables {
			all[t.Name] = true
		}
		return nil
	})
}
