package syntax

// A Query is commands, each working on what the one before left.
type Query struct {
	Text     string // the whole text, also of a subquery
	Commands []Command
}

// A Command is one stage of a query.
type Command interface{ At() Span }

// Commands.
type (
	// Fields is fields: columns are added to those shown.
	Fields struct {
		Span
		Columns []Column
	}
	// Display is display: nothing but these columns is shown.
	Display struct {
		Span
		Columns []Column
	}
	// Filter is filter or where.
	Filter struct {
		Span
		Condition Expr
	}
	// FilterIndex is filterIndex: a condition of equality on an indexed field.
	FilterIndex struct {
		Span
		Condition Expr
	}
	// Stats is stats: aggregates for each group of keys.
	Stats struct {
		Span
		Columns []Column
		By      []Column
		Offset  *Period // shifts bin's borders
	}
	// Sort is sort.
	Sort struct {
		Span
		Keys []SortKey
	}
	// A SortKey is one expression to sort by.
	SortKey struct {
		Expr Expr
		Desc bool
	}
	// Limit is limit; Any asks for any rows, whatever their order.
	Limit struct {
		Span
		N   int
		Any bool
	}
	// ParseField is parse. One of Glob, Regex, and the modes logfmt and csv is meant.
	ParseField struct {
		Span
		Field *Field // @message if it was left out
		Glob  *String
		Regex *Regex
		Multi bool
		Mode  string // "", "logfmt" or "csv"
		As    []Field
	}
	// JSON is json field=f "a.b" as x.
	JSON struct {
		Span
		Field *Field
		Paths []String
		As    []Field
	}
	// Dedup is dedup.
	Dedup struct {
		Span
		Fields []Expr
	}
	// Pattern is pattern.
	Pattern struct {
		Span
		Field Expr
	}
	// Diff is diff with its modifier, which may be empty: previousDay, previousWeek,
	// previousMonth.
	Diff struct {
		Span
		Modifier string
	}
	// LogCompare is logcompare timeshift 7d.
	LogCompare struct {
		Span
		Shift Period
	}
	// Anomaly is anomaly.
	Anomaly struct{ Span }
	// Unnest is unnest f into g; expand f is the same without Into.
	Unnest struct {
		Span
		Expr Expr
		Into string
	}
	// Expand is expand.
	Expand struct {
		Span
		Field *Field
	}
	// Unmask is unmask f, ….
	Unmask struct {
		Span
		Fields []*Field
	}
	// Source is SOURCE: which log groups, and when.
	Source struct {
		Span
		Groups     []String
		Selectors  []Selector
		Start, End *Moment
	}
	// A Selector is logGroups(namePrefix: ['a'], …) and its like.
	Selector struct {
		Span
		Name string
		Args []SelectorArg
	}
	// A SelectorArg is one argument of a selector.
	SelectorArg struct {
		Span
		Name   string
		Values []string
	}
	// A Moment is a time in SOURCE: now, a period before it, or a time written out.
	Moment struct {
		Span
		Period string // "1h" of -1h; "" if the moment is a text or number
		Sign   int    // of Period
		Text   string // "now", a number of seconds or milliseconds, a date
	}
	// Join is join: rows beside those of another log group that agree on keys.
	Join struct {
		Span
		Type        string // inner or left
		Left, Right string
		On          []JoinKey
		Source      *Query
	}
	// A JoinKey is left.Left = right.Right.
	JoinKey struct{ Left, Right Field }
	// Lookup is lookup.
	Lookup struct {
		Span
		Table  Field
		Keys   []LookupField // Name is the table's column, As the event's field
		Output []LookupField
		New    bool // OUTPUTNEW: only where the field is absent
	}
	// A LookupField is a column of a table and a field of an event.
	LookupField struct {
		Span
		Name, As string
	}
	// CIDRLookup is cidrlookup.
	CIDRLookup struct {
		Span
		Table  Field
		IP     Field
		Column string // of the ranges; "" is for the table to say
		Output []LookupField
		New    bool
	}
	// AddTotals is addtotals.
	AddTotals struct {
		Span
		Name     string
		Row, Col bool
		Fields   []Field
	}
	// Accum is accum.
	Accum struct {
		Span
		Field Field
		As    string
	}
	// Autoregress is autoregress f as o p=From-To.
	Autoregress struct {
		Span
		Field    Field
		As       string
		From, To int
	}
	// FillDown is filldown; names may end in *. None means all.
	FillDown struct {
		Span
		Fields []String
	}
	// FillMissing is fillmissing with v for f, ….
	FillMissing struct {
		Span
		Values []Expr
		Fields []Field
	}
	// Outlier is outlier.
	Outlier struct {
		Span
		Remove, UseLower, Mark bool
		Param                  float64
		Fields                 []Field
	}
	// Sessionize is sessionize.
	Sessionize struct {
		Span
		Fields  []Field
		MaxSpan *Period
		As      string
	}
	// AppendCols is appendcols.
	AppendCols struct {
		Span
		Override bool
		Max      int
		Sub      *Query
	}
	// RelevantFields is relevantfields f, … where condition.
	RelevantFields struct {
		Span
		Fields    []Field
		Condition Expr
	}
	// CountFrequent is countFrequent.
	CountFrequent struct {
		Span
		Fields []Field
	}
	// Estimate is estimate.
	Estimate struct{ Span }
)
