package clickhouse

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// An address says which server is meant, and which table.
type address struct {
	server   string // host:port of the native protocol
	database string
	user     string
	password string
	tls      *tls.Config
	table    string
	cluster  string // "": one server
}

// parse reads clickhouse://user:password@host:port/database?table=…&cluster=…&secure=true.
func parse(text string) (*address, error) {
	u, err := url.Parse(text)
	if err != nil {
		var wrong *url.Error
		if errors.As(err, &wrong) {
			err = wrong.Err // the text may hold a password
		}
		return nil, fmt.Errorf("read ClickHouse's address: %w; write clickhouse://USER:PASSWORD@HOST:9000/DATABASE?table=TABLE", err)
	}
	if u.Scheme != "clickhouse" || u.Hostname() == "" {
		return nil, fmt.Errorf("read ClickHouse's address: it begins with %q; write clickhouse://USER:PASSWORD@HOST:9000/DATABASE?table=TABLE", u.Scheme+"://"+u.Host)
	}
	a := &address{database: strings.Trim(u.Path, "/"), user: u.User.Username(), table: "events"}
	a.password, _ = u.User.Password()
	port := "9000"
	for key, values := range u.Query() {
		v := values[len(values)-1]
		switch {
		case key == "table" && v != "":
			a.table = v
		case key == "cluster" && v != "":
			a.cluster = v
		case key == "secure" && v == "true":
			a.tls, port = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}, "9440"
		case key == "secure" && v == "false":
		default:
			return nil, fmt.Errorf("read ClickHouse's address: %s=%s is not known; there are table, cluster and secure=true", key, v)
		}
	}
	if u.Port() != "" {
		port = u.Port()
	}
	a.server = net.JoinHostPort(u.Hostname(), port)
	return a, nil
}
