package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/layerwise/layerwise/cachemodel/daemon"
	"github.com/layerwise/layerwise/server"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func newServe() *cobra.Command {
	var listen, level string
	var stdio, anybody bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the language server that editors talk to",
		Long: `Run the language server. Editors start it and talk to it over its standard input and output. What it logs goes to
standard error.

With --listen it takes connections, each with a state of its own: over a Unix socket (unix:PATH), which only you can
use, or over TCP on this machine (localhost:7070). Over TCP a client must send a token in its initialization options,
{"token": "..."}: that of the environment variable ` + tokenVariable +
			`, or one that is made up and printed. With --listen-any other machines can connect too;
what is sent is not encrypted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLog(level, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer log.Sync()
			options := server.Options{Version: versionString(), Log: log, CacheDir: digestCache()}
			options.Builder = func(setting string) (server.Builder, error) {
				builder, err := daemon.Configured(setting)
				if builder == nil {
					return nil, err
				}
				return builder, err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if listen != "" {
				listener, err := listenOn(listen, anybody)
				if err != nil {
					return fmt.Errorf("--listen %s: %w", listen, err)
				}
				fmt.Fprintln(cmd.ErrOrStderr(), "layerwise:", listener.note)
				return serveClients(ctx, listener, options)
			}
			options.Outlive = outlive
			if code := server.Serve(ctx, standardStreams{}, options); code != 0 {
				return exitError{code: code}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&stdio, "stdio", true, "talk over standard input and output")
	cmd.Flags().StringVar(&listen, "listen", "", "listen on this `address` instead: unix:PATH or localhost:PORT")
	cmd.Flags().BoolVar(
		&anybody,
		"listen-any",
		false,
		"let --listen take an address that other machines can connect to",
	)
	cmd.Flags().StringVar(&level, "log-level", "warn", "least important `level` to log: debug, info, warn or error")
	return cmd
}

// newLog logs to standard error: standard output belongs to the protocol.
func newLog(level string, stderr io.Writer) (*zap.Logger, error) {
	least, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("--log-level %s: must be debug, info, warn or error", level)
	}
	encoder := zap.NewDevelopmentEncoderConfig()
	encoder.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(encoder), zapcore.Lock(zapcore.AddSync(stderr)), least)), nil
}

// digestCache is where digests of files are kept between runs; "" where the system names no place for that.
func digestCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "layerwise")
}

// outlive waits until a process of this machine has ended, or ctx has. One that is not there at the start is
// somewhere else, as seen from within a container: it is never taken for ended. Mostly the end of the client shows at
// once, as its pipes close.
func outlive(ctx context.Context, process int) {
	if !alive(process) {
		<-ctx.Done()
		return
	}
	every := time.NewTicker(lookAfterClient)
	defer every.Stop()
	for alive(process) {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// lookAfterClient is how often the client's process is looked for.
const lookAfterClient = 3 * time.Second

func alive(process int) bool {
	p, err := os.FindProcess(process)
	if err != nil {
		return false // on Windows
	}
	defer func() { _ = p.Release() }()
	if runtime.GOOS == "windows" {
		return true
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}

// standardStreams is the process's standard input and output as one connection.
type standardStreams struct{}

func (standardStreams) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (standardStreams) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (standardStreams) Close() error                { return errors.Join(os.Stdin.Close(), os.Stdout.Close()) }

var _ io.ReadWriteCloser = standardStreams{}
