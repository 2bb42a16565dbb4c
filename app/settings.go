// Package app makes a running process of settings: it knows all parts, starts them in order, and stops them
// in the other one.
package app

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"signalbox/internal/blob"
)

// Settings are what `signalbox serve` can be told. Every field is a flag and a variable of the environment.
type Settings struct {
	Listen         string        `default:"127.0.0.1:8080" env:"SIGNALBOX_LISTEN" help:"Address and port to listen on."`
	ExternalURL    string        `env:"SIGNALBOX_EXTERNAL_URL" help:"Address that people, runners and chats use, such as https://ci.example.com. Default: http:// and the address listened on."`
	Data           string        `default:"./signalbox-data" env:"SIGNALBOX_DATA" help:"Folder of everything that is kept."`
	DatabaseURL    string        `env:"SIGNALBOX_DATABASE_URL" help:"PostgreSQL, as postgres://user:password@host/name. Default: SQLite in the data folder."`
	RedisURL       string        `env:"SIGNALBOX_REDIS_URL" help:"Redis, as redis://user:password@host:6379/0, for several nodes on one PostgreSQL: live logs, events and limits that all share."`
	BlobURL        string        `env:"SIGNALBOX_BLOB_URL" help:"Where logs and artifacts of finished jobs lie: file:///folder, or s3://bucket/prefix?endpoint=https://host&region=name&path_style=true with keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Default: in the data folder. Required with Redis, where all nodes share it."`
	Repositories   string        `env:"SIGNALBOX_REPOSITORIES" help:"Folder of the repositories. Default: in the data folder. Required with PostgreSQL, where all nodes share it."`
	SecretKeyFile  string        `env:"SIGNALBOX_SECRET_KEY_FILE" help:"File with the key that seals secrets. Default: made in the data folder. Required with PostgreSQL."`
	TrustedProxies []string      `env:"SIGNALBOX_TRUSTED_PROXIES" help:"Networks of proxies whose X-Forwarded headers are believed, such as 10.0.0.0/8."`
	PrivateHosts   []string      `env:"SIGNALBOX_PRIVATE_HOSTS" help:"Hosts (host or host:port) in private networks that webhooks may go to, and chat replies if the integration names them too."`
	IncludeHosts   []string      `env:"SIGNALBOX_INCLUDE_HOSTS" help:"Hosts (host or host:port) in private networks that configurations may include files from (include:remote)."`
	Templates      string        `env:"SIGNALBOX_TEMPLATES" help:"Folder of templates of configurations (include:template), besides those that signalbox ships."`
	Runner         bool          `env:"SIGNALBOX_RUNNER" help:"Also start the built-in runner. It runs jobs with bash on this machine: no containers, no services, no caches, and little between jobs and the machine."`
	RunnerUser     string        `env:"SIGNALBOX_RUNNER_USER" help:"User whom the built-in runner runs jobs as. Required as root."`
	HoldPolls      time.Duration `default:"50s" env:"SIGNALBOX_HOLD_POLLS" help:"How long a runner's request for a job is held while there is none, such as 50s or 5s; 0 answers at once."`
	LogFormat      string        `default:"text" enum:"text,json" env:"SIGNALBOX_LOG_FORMAT" help:"Format of the log: text or json."`
	LogLevel       string        `default:"info" enum:"debug,info,warn,error" env:"SIGNALBOX_LOG_LEVEL" help:"What is logged: debug, info, warn or error."`

	// Not flags: what tests and the demo shorten.
	RootPassword string           `kong:"-"`
	RootToken    string           `kong:"-"`
	AcceptWithin time.Duration    `kong:"-"`
	LostAfter    time.Duration    `kong:"-"`
	PostTimeout  time.Duration    `kong:"-"`
	MaxTrace     int64            `kong:"-"`
	MaxArtifact  int64            `kong:"-"`
	Now          func() time.Time `kong:"-"`
	Steady       func() time.Time `kong:"-"` // Now if nil
	SlackAPI     string           `kong:"-"`
	DiscordAPI   string           `kong:"-"`
	BuildsDir    string           `kong:"-"`
}

// maxHoldPolls is below what runners and proxies wait for an answer.
const maxHoldPolls = 10 * time.Minute

// SettingError says which setting is wrong and why.
type SettingError struct{ Setting, Problem string }

func (e *SettingError) Error() string { return e.Setting + ": " + e.Problem }

// check refuses what cannot work, before anything is started.
func (s *Settings) check() (trusted []netip.Prefix, err error) {
	if _, _, err := net.SplitHostPort(s.Listen); err != nil {
		return nil, &SettingError{"--listen", fmt.Sprintf("%q is not address:port", s.Listen)}
	}
	if s.ExternalURL != "" {
		u, err := url.Parse(s.ExternalURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
			return nil, &SettingError{"--external-url", fmt.Sprintf("%q is not http(s)://host[:port]", s.ExternalURL)}
		}
		s.ExternalURL = u.Scheme + "://" + u.Host
	}
	if s.DatabaseURL != "" {
		u, err := url.Parse(s.DatabaseURL)
		if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
			return nil, &SettingError{"--database-url", "want postgres://user:password@host/name"}
		}
		if s.SecretKeyFile == "" {
			return nil, &SettingError{"--secret-key-file", "is required with --database-url: all nodes need the same key (make one with: head -c 32 /dev/urandom | base64)"}
		}
		if s.Repositories == "" {
			return nil, &SettingError{"--repositories", "is required with --database-url: a folder that all nodes share"}
		}
	}
	if err := s.checkShared(); err != nil {
		return nil, err
	}
	for _, p := range s.TrustedProxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			addr, addrErr := netip.ParseAddr(p)
			if addrErr != nil {
				return nil, &SettingError{"--trusted-proxies", fmt.Sprintf("%q is neither a network nor an address", p)}
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		trusted = append(trusted, prefix)
	}
	for setting, hosts := range map[string][]string{"--private-hosts": s.PrivateHosts, "--include-hosts": s.IncludeHosts} {
		for _, h := range hosts {
			if u, err := url.Parse("http://" + h); err != nil || u.Host != h {
				return nil, &SettingError{setting, fmt.Sprintf("%q is not host or host:port", h)}
			}
		}
	}
	if s.HoldPolls < 0 || s.HoldPolls > maxHoldPolls {
		return nil, &SettingError{"--hold-polls", fmt.Sprintf("%s is not from 0 to %s", s.HoldPolls, maxHoldPolls)}
	}
	if s.Templates != "" {
		if info, err := os.Stat(s.Templates); err != nil || !info.IsDir() {
			return nil, &SettingError{"--templates", fmt.Sprintf("%q is no folder", s.Templates)}
		}
	}
	if s.Runner && os.Getuid() == 0 && s.RunnerUser == "" {
		return nil, &SettingError{"--runner-user", "is required when --runner is used as root: jobs do not run as root"}
	}
	return trusted, nil
}

// checkShared refuses what several nodes cannot work with.
func (s *Settings) checkShared() error {
	if s.RedisURL != "" {
		if _, err := redis.ParseURL(s.RedisURL); err != nil {
			return &SettingError{"--redis-url", "want redis://user:password@host:6379/0"}
		}
		if s.DatabaseURL == "" {
			return &SettingError{"--database-url", "is required with --redis-url: Redis is for several nodes, and those share a PostgreSQL"}
		}
		if s.BlobURL == "" {
			return &SettingError{"--blob-url", "is required with --redis-url: all nodes share the logs and artifacts of finished jobs"}
		}
	}
	if s.BlobURL != "" {
		if err := blob.Check(s.BlobURL); err != nil {
			return &SettingError{"--blob-url", err.Error()}
		}
	}
	return nil
}

// Logger makes the log that the settings ask for.
func (s *Settings) Logger() *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}
