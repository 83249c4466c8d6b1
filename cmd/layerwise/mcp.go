package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
)

const mcpHelp = `Serve the Model Context Protocol over the standard input and output, so that agents can ask what the other
subcommands tell. An agent's host starts it in the folder of the project, as in
  {"mcpServers": {"layerwise": {"command": "layerwise", "args": ["mcp"]}}}

The tools read and change nothing:
  predict        what the next build reuses and what it runs, with the first reason of each step
  check          mistakes in Dockerfiles, Compose and bake files, with their fixes
  fix            what check --fix would change in one Dockerfile, as a difference
  reorder        an order of the instructions that rebuilds less, as a difference, with its grade
  explain        what a rule is about, or all rules
  context_files  the files of the build context, as the ignore file leaves them
With --allow-write there are also
  apply_fixes         check --fix
  apply_reordering    reorder --write: of what is only likely to keep the image nothing is written
and with --allow-build
  verify_reordering   reorder --verify, which builds both files and compares the images
What they answer is what the subcommands print with --format json.`

const mcpInstructions = `Layerwise predicts what the Docker build cache will do. Before you change a Dockerfile or the files that it
copies, call predict; after it call predict and check again. A step is "cached" only where that is sure, as far as the
baseline is: where it has "assumed", say that assumption. "certain": false means that only the build can tell. Prefer
the fixes and orders that check and reorder give over your own; one that is "likely" needs the user's consent or a
verification. Paths are relative to the folder that the server was started in.`

func newMCP() *cobra.Command {
	var write, build bool
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Answer agents over the Model Context Protocol",
		Long:  mcpHelp,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := newMCPServer(write, build).Run(cmd.Context(), &mcp.StdioTransport{})
			if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&write, "allow-write", false, "offer tools that change files")
	cmd.Flags().BoolVar(&build, "allow-build", false, "offer the tool that builds to verify a reordering")
	return cmd
}

// newMCPServer has the tools that are allowed.
func newMCPServer(write, build bool) *mcp.Server {
	s := mcp.NewServer(
		&mcp.Implementation{Name: "layerwise", Title: "Layerwise", Version: versionString()},
		&mcp.ServerOptions{Instructions: mcpInstructions},
	)
	reads := &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: new(bool)}
	changes := &mcp.ToolAnnotations{IdempotentHint: true, OpenWorldHint: new(bool)}
	addTool(s, "predict", "Say of each instruction of a Dockerfile whether the next build reuses it (cached) or "+
		"runs it (rebuilt), and the first reason. Nothing is built.", reads,
		func(ctx context.Context, in predictInput) (string, error) {
			args := append([]string{"predict", "--format", "json"}, in.flags()...)
			if in.Baseline != "" {
				args = append(args, "--baseline="+in.Baseline)
			}
			return runSubcommand(ctx, "", append(args, in.dockerfile()...)...)
		})
	addTool(s, "check", "Find mistakes in Dockerfiles, Compose and bake files, with their fixes. Nothing is "+
		"changed.", reads, func(ctx context.Context, in checkInput) (string, error) {
		if in.Text != "" {
			return runSubcommand(ctx, in.Text, "check", "--format", "json", "--", standardInput)
		}
		return runSubcommand(ctx, "", append([]string{"check", "--format", "json", "--"}, in.Paths...)...)
	})
	addTool(s, "fix", "Show as a unified diff what the safe fixes would change in a Dockerfile. Nothing is "+
		"changed.", reads, func(ctx context.Context, in fixInput) (string, error) { return fixedDiff(ctx, in.File) })
	addTool(s, "reorder", "Find an order of a Dockerfile's instructions that rebuilds less over the last commits, "+
		"as a unified diff with its grade (proved, verified or likely). Nothing is changed.", reads,
		func(ctx context.Context, in buildInput) (string, error) {
			return runSubcommand(ctx, "", in.arguments("reorder", "--format", "json", "--explain")...)
		})
	addTool(s, "explain", "Explain a rule: what it finds, why that is bad, an example, and how to turn it off. "+
		"Without a name, list all rules.", reads, func(ctx context.Context, in explainInput) (string, error) {
		if in.Rule == "" {
			return runSubcommand(ctx, "", "rules")
		}
		return runSubcommand(ctx, "", "explain", "--", in.Rule)
	})
	addTool(s, "context_files", "List the files of the build context, as the ignore file leaves them. Contents "+
		"are not read.", reads, contextFiles)
	if write {
		addTool(s, "apply_fixes", "Apply the safe fixes to Dockerfiles.", changes,
			func(ctx context.Context, in fixInput) (string, error) {
				return runSubcommand(ctx, "", "check", "--fix", "--format", "json", "--", in.File)
			})
		addTool(s, "apply_reordering", "Write the order that reorder offers. Where it is only likely that the image "+
			"stays the same, nothing is written.", changes, func(ctx context.Context, in buildInput) (string, error) {
			return runSubcommand(ctx, "", in.arguments("reorder", "--write", "--format", "json")...)
		})
	}
	if build {
		addTool(s, "verify_reordering", "Build the Dockerfile as it is and in the order that reorder offers, and "+
			"compare the images. This runs the Dockerfile's commands and can take long.", changes,
			func(ctx context.Context, in buildInput) (string, error) {
				return runSubcommand(ctx, "", in.arguments("reorder", "--verify", "--format", "json")...)
			})
	}
	return s
}

// addTool adds a tool whose answer is a text, which is JSON for most.
func addTool[In any](s *mcp.Server, name, about string, hints *mcp.ToolAnnotations,
	answer func(ctx context.Context, in In) (string, error),
) {
	mcp.AddTool(s, &mcp.Tool{Name: name, Description: about, Annotations: hints},
		func(ctx context.Context, _ *mcp.CallToolRequest, in In) (*mcp.CallToolResult, any, error) {
			text, err := answer(ctx, in)
			if err != nil && text == "" {
				return nil, nil, err
			}
			result := &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
			if err != nil {
				result.Content = append(result.Content, &mcp.TextContent{Text: err.Error()})
			}
			return result, nil, nil
		})
}

// buildInput says which build is meant, as the flags of predict do.
type buildInput struct {
	File     string            `json:"file,omitempty" jsonschema:"the Dockerfile; by default that of the folder"`
	Context  string            `json:"context,omitempty" jsonschema:"the build context; by default it is found"`
	Target   string            `json:"target,omitempty" jsonschema:"the stage to build; by default the last"`
	Args     map[string]string `json:"buildArgs,omitempty" jsonschema:"build arguments"`
	Platform string            `json:"platform,omitempty" jsonschema:"the platform to build for, as in linux/arm64"`
	Engine   string            `json:"engine,omitempty" jsonschema:"buildkit (the default) or classic"`
	Service  string            `json:"service,omitempty" jsonschema:"take the settings of this Compose service"`
	Bake     string            `json:"bake,omitempty" jsonschema:"take the settings of this bake target"`
}

type predictInput struct {
	buildInput
	Baseline string `json:"baseline,omitempty" jsonschema:"auto, recorded, git[:REV], git:merge-base or dir:PATH"`
}

type checkInput struct {
	Paths []string `json:"paths,omitempty" jsonschema:"files and folders; by default the current folder"`
	Text  string   `json:"text,omitempty" jsonschema:"the text of a Dockerfile that is checked in place of files"`
}

type fixInput struct {
	File string `json:"file" jsonschema:"the Dockerfile"`
}

type explainInput struct {
	Rule string `json:"rule,omitempty" jsonschema:"the name of a rule, or a code such as DL3006 or SC2086"`
}

type contextInput struct {
	buildInput
	Below string `json:"below,omitempty" jsonschema:"list only what is below this folder of the context"`
	Limit int    `json:"limit,omitempty" jsonschema:"list at most so many files; by default 1000"`
}

// flags are the flags of a subcommand that say the same.
func (in buildInput) flags() (flags []string) {
	for _, f := range []struct{ name, value string }{
		{"context", in.Context}, {"target", in.Target}, {"platform", in.Platform}, {"engine", in.Engine},
		{"service", in.Service}, {"bake", in.Bake},
	} {
		if f.value != "" {
			flags = append(flags, "--"+f.name+"="+f.value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Args)) {
		flags = append(flags, "--build-arg="+name+"="+in.Args[name])
	}
	return flags
}

// dockerfile is the argument that names the Dockerfile.
func (in buildInput) dockerfile() []string {
	if in.File == "" {
		return nil
	}
	return []string{"--", in.File}
}

func (in buildInput) arguments(command ...string) []string {
	return append(append(command, in.flags()...), in.dockerfile()...)
}

// runSubcommand runs a subcommand as it runs in a terminal. The error is nil where it found something to complain of,
// which its output says.
func runSubcommand(ctx context.Context, input string, args ...string) (string, error) {
	var out, notes bytes.Buffer
	cmd := newRoot()
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(input))
	cmd.SetOut(&out)
	cmd.SetErr(&notes)
	err := cmd.ExecuteContext(ctx)
	var exit exitError
	if errors.As(err, &exit) && exit.err == nil {
		err = nil
	}
	return out.String(), err
}

// fixedDiff is what the safe fixes change in a Dockerfile.
func fixedDiff(ctx context.Context, name string) (string, error) {
	content, err := readDockerfile(name)
	if err != nil {
		return "", err
	}
	config := newCheckOptions(checking{})
	checked, file := checkedFile{path: name}, dockerfile.Parse(source.New(content), nil)
	options, err := config.of(ctx, name, file)
	if err != nil {
		return "", err
	}
	fixed := checked.fix(ctx, file, options, &shellRemarks{})
	if checked.kept != "" {
		return "", fmt.Errorf("%s is left alone: %s", name, checked.kept)
	}
	if len(checked.fixed) == 0 {
		return "there is nothing to fix", nil
	}
	diff, err := unifiedDiff(name, content, fixed.Text.String())
	return diff, errors.Join(append(config.failures, err)...)
}

// contextListing is what context_files answers.
type contextListing struct {
	Dir    string        `json:"dir"`
	Ignore []string      `json:"ignore"` // the patterns of the ignore file
	Files  []contextFile `json:"files"`
	More   int           `json:"more"` // files beyond the limit
	Bytes  int64         `json:"bytes"`
}

type contextFile struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

func contextFiles(ctx context.Context, in contextInput) (string, error) {
	var flags buildFlags
	cmd := &cobra.Command{}
	flags.register(cmd)
	if err := cmd.ParseFlags(in.flags()); err != nil {
		return "", err
	}
	j, err := flags.find(ctx, here(), in.File, uncompared)
	if err != nil {
		return "", err
	}
	tree := j.build.Context.Tree
	if tree == nil {
		return "", errors.New("the build context was not read")
	}
	below := path.Clean("/" + in.Below)[1:]
	top := tree.Root()
	if below != "" {
		var ok bool
		if top, ok = tree.Lookup(below); !ok {
			return "", fmt.Errorf("%s is not in the build context", below)
		}
	}
	limit := in.Limit
	if limit <= 0 {
		limit = 1000
	}
	list := contextListing{
		Dir: relative(j.build.Context.Dir), Files: []contextFile{},
		Ignore: append([]string{}, tree.Ignore().Patterns()...),
	}
	var walk func(at string, n *buildcontext.Node)
	walk = func(at string, n *buildcontext.Node) {
		for _, child := range n.Children() {
			walk(path.Join(at, child.Name()), child)
		}
		if n.Type() == buildcontext.Dir {
			return
		}
		list.Bytes += n.Meta().Size
		if len(list.Files) == limit {
			list.More++
			return
		}
		list.Files = append(list.Files, contextFile{at, n.Meta().Size})
	}
	walk(below, top)
	var out strings.Builder
	err = printJSON(&out, list)
	return out.String(), err
}
