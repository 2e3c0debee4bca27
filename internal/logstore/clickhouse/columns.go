package clickhouse

import (
	"github.com/ClickHouse/ch-go/proto"

	"github.com/eksact/eksact/internal/engine/scan/lower"
)

// An input is rows as columns of the native protocol.
type input struct {
	log, stream    *proto.ColLowCardinality[string]
	time, ingested *proto.ColDateTime64
	ptr, message   *proto.ColStr
	names          *proto.ColArr[string]
	kinds          *proto.ColArr[uint8]
	texts          *proto.ColArr[string]
	numbers        *proto.ColArr[float64]
}

func newInput() *input {
	milliseconds := func() *proto.ColDateTime64 { return new(proto.ColDateTime64).WithPrecision(proto.PrecisionMilli) }
	return &input{
		log: new(proto.ColStr).LowCardinality(), stream: new(proto.ColStr).LowCardinality(),
		time: milliseconds(), ingested: milliseconds(),
		ptr: new(proto.ColStr), message: new(proto.ColStr),
		names:   proto.NewArray(new(proto.ColStr).LowCardinality()),
		kinds:   proto.NewArray[uint8](new(proto.ColUInt8)),
		texts:   proto.NewArray[string](new(proto.ColStr)),
		numbers: proto.NewArray[float64](new(proto.ColFloat64)),
	}
}

func (in *input) add(r *lower.Row) {
	in.log.Append(r.Log)
	in.stream.Append(r.Stream)
	in.time.AppendRaw(proto.DateTime64(r.Time))
	in.ingested.AppendRaw(proto.DateTime64(r.Ingested))
	in.ptr.Append(r.Ptr)
	in.message.Append(r.Message)
	in.names.Append(r.Names)
	in.kinds.Append(r.Kinds)
	in.texts.Append(r.Texts)
	in.numbers.Append(r.Numbers)
}

// columns are in the order of lower.Insert's.
func (in *input) columns() proto.Input {
	data := []proto.ColInput{in.log, in.stream, in.time, in.ingested, in.ptr, in.message, in.names, in.kinds, in.texts, in.numbers}
	list := make(proto.Input, len(data))
	for i, name := range lower.ColumnNames {
		list[i] = proto.InputColumn{Name: name, Data: data[i]}
	}
	return list
}

// An output is what a statement's answer is read into, block after block.
type output struct {
	names []string
	data  []proto.ColResult
}

func newOutput(st *lower.Statement) *output {
	out := &output{}
	for _, c := range st.Columns {
		out.names = append(out.names, c.Name)
		switch c.Type {
		case lower.Int64:
			out.data = append(out.data, new(proto.ColInt64))
		case lower.UInt64:
			out.data = append(out.data, new(proto.ColUInt64))
		case lower.UInt8:
			out.data = append(out.data, new(proto.ColUInt8))
		case lower.String:
			out.data = append(out.data, new(proto.ColStr))
		case lower.Array:
			out.data = append(out.data, proto.NewArray[string](new(proto.ColStr)))
		}
	}
	return out
}

func (out *output) results() proto.Results {
	list := make(proto.Results, len(out.data))
	for i := range list {
		list[i] = proto.ResultColumn{Name: out.names[i], Data: out.data[i]}
	}
	return list
}

// block copies the block that was read last: its memory is the next one's.
func (out *output) block() *lower.Block {
	b := &lower.Block{Columns: make([]lower.Column, len(out.data))}
	for i, data := range out.data {
		c := &b.Columns[i]
		b.Rows = data.Rows()
		switch data := data.(type) {
		case *proto.ColInt64:
			c.Ints = append(c.Ints, *data...)
		case *proto.ColUInt64:
			for _, n := range *data {
				c.Ints = append(c.Ints, int64(n))
			}
		case *proto.ColUInt8:
			c.Bytes = append(c.Bytes, *data...)
		case *proto.ColStr:
			all := string(data.Buf) // one copy for all texts
			c.Texts = make([]string, len(data.Pos))
			for row, p := range data.Pos {
				c.Texts[row] = all[p.Start:p.End]
			}
		case *proto.ColArr[string]:
			for row := range b.Rows {
				c.Lists = append(c.Lists, data.Row(row))
			}
		}
	}
	return b
}
