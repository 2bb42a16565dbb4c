package terminal

// cell is one column of a line. A character of two columns leaves the second one's text empty.
type cell struct {
	text  string
	style int // index into the canvas's styles
}

// canvas is a line that is being drawn, of any width.
type canvas struct {
	cells  []cell
	styles []Style
	at     int // the cursor's column
	style  Style
	work   int // how many cells may still be blanked
}

func (c *canvas) write(text string) {
	if text == "" {
		return
	}
	if len(c.styles) == 0 || c.styles[len(c.styles)-1] != c.style {
		c.styles = append(c.styles, c.style)
	}
	runes(text, c.character)
}

func (c *canvas) character(r rune, text string) {
	switch {
	case r == '\r':
		c.at = 0
	case r == '\b':
		c.at = max(0, c.at-1)
	case r == '\t':
		c.tab()
	case r < 0x20 || r >= 0x7f && r < 0xa0:
	default:
		c.put(text, columns(r))
	}
}

// put writes one character at the cursor, over what stands there.
func (c *canvas) put(text string, wide int) {
	if wide == 0 {
		if c.at > 0 && c.at <= len(c.cells) {
			at := c.at - 1
			if at > 0 && c.cells[at].text == "" {
				at--
			}
			if len(c.cells[at].text) < maxMarks {
				c.cells[at].text += text
			}
		}
		return
	}
	style := len(c.styles) - 1
	c.fill(c.at + wide)
	c.split(c.at)
	c.split(c.at + wide)
	c.cells[c.at] = cell{text, style}
	if wide == 2 {
		c.cells[c.at+1] = cell{"", style}
	}
	c.at += wide
}

// maxMarks bounds, in bytes, what is drawn upon one character.
const maxMarks = 64

// fill makes the line at least so many columns wide.
func (c *canvas) fill(columns int) {
	for len(c.cells) < columns {
		c.cells = append(c.cells, cell{" ", -1})
	}
}

// split leaves of a character of two columns a blank on each side of a column, if that lies within it.
func (c *canvas) split(at int) {
	if at > 0 && at < len(c.cells) && c.cells[at].text == "" {
		c.cells[at-1], c.cells[at] = cell{" ", -1}, cell{" ", -1}
	}
}

// tab goes to the next stop; a terminal leaves what it passes as it is.
func (c *canvas) tab() {
	c.at = (c.at/tabWidth + 1) * tabWidth
	c.fill(c.at)
}

// move does what a control sequence says of the cursor and of what stands in the line.
func (c *canvas) move(q sequence) {
	switch n := number(q.parameters, 1); q.final {
	case 'C':
		c.goTo(c.at + max(n, 1))
	case 'D':
		c.goTo(c.at - max(n, 1))
	case 'G', '`':
		c.goTo(n - 1)
	case 'K':
		c.erase(number(q.parameters, 0))
	case 'X':
		c.blank(c.at, min(c.at+max(n, 1), len(c.cells)))
	}
}

// goTo moves the cursor to a column, at most to the edge.
func (c *canvas) goTo(column int) {
	c.at = max(0, min(column, max(len(c.cells), maxColumn)))
}

// erase empties the line behind the cursor (0), before it (1), or whole (2).
func (c *canvas) erase(part int) {
	switch part {
	case 0:
		if c.at < len(c.cells) {
			c.split(c.at)
			c.cells = c.cells[:c.at]
		}
	case 1:
		c.blank(0, min(c.at+1, len(c.cells)))
	case 2:
		c.cells = c.cells[:0]
	}
}

// workEach is how many cells each byte of a line may blank; more is no progress bar, but an attack.
const workEach = 64

func (c *canvas) blank(from, to int) {
	if from >= to || c.work < to-from {
		return
	}
	c.work -= to - from
	c.split(from)
	c.split(to)
	for i := from; i < to; i++ {
		c.cells[i] = cell{" ", -1}
	}
}

// spans are the line as it stands, without the blanks at its end that nobody wrote.
func (c *canvas) spans() []Span {
	cells := c.cells
	for len(cells) > 0 && cells[len(cells)-1] == (cell{" ", -1}) {
		cells = cells[:len(cells)-1]
	}
	var list spanList
	for _, one := range cells {
		style := Style{}
		if one.style >= 0 {
			style = c.styles[one.style]
		}
		list.add(one.text, style)
	}
	return list.done()
}
