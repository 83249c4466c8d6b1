package server

import (
	"context"

	"github.com/layerwise/layerwise/analysis/describe"
	"go.lsp.dev/protocol"
)

// signatureHelp answers textDocument/signatureHelp: the forms of the instruction that fit what stands there.
func signatureHelp(
	_ context.Context,
	snap *snapshot,
	p *protocol.SignatureHelpParams,
) (*protocol.SignatureHelp, error) {
	signatures := describe.Signatures(snap.file, snap.can.encoding.offset(snap.file.Text, p.Position))
	if len(signatures) == 0 {
		return nil, nil
	}
	var first, active uint32
	help := &protocol.SignatureHelp{ActiveSignature: &first}
	for i, s := range signatures {
		info := protocol.SignatureInformation{Label: s.Label, Documentation: markup(s.Text, snap.can.signatureMarkdown)}
		for _, param := range s.Parameters {
			one := protocol.ParameterInformation{Label: protocol.String(s.Label[param.Start:param.End])}
			if snap.can.labelOffsets { // the labels are ASCII: bytes are UTF-16 units
				one.Label = protocol.ParameterInformationLabelTuple{uint32(param.Start), uint32(param.End)}
			}
			if param.Text != "" {
				one.Documentation = markup(param.Text, snap.can.signatureMarkdown)
			}
			info.Parameters = append(info.Parameters, one)
		}
		switch {
		case s.Active < 0:
			active = max(active, uint32(len(s.Parameters))) // none
		default:
			info.ActiveParameter = protocol.NewNullable(uint32(s.Active))
		}
		if i == 0 && s.Active >= 0 {
			active = uint32(s.Active)
		}
		help.Signatures = append(help.Signatures, info)
	}
	help.ActiveParameter = protocol.NewNullable(active)
	return help, nil
}
