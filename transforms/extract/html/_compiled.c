/* The hot loops of extraction, compiled. Each does what a Python function does, and that one is what is meant: where the two
   differ, this one is wrong (tests/transforms/extract/html/test_compiled.py holds both to the same).

   walk                                               Scanner._loop of scan.py: the pass over a page's tags
   counted                                            counted of limits.py: what is counted before a page is parsed
   cut                                                _Reading.cut of source.py: what holds no text goes
   measured, repeats, pictured, ranged, structured, featured   parts of features.py; log2 may differ in its last bit, before rounding
   add_rows, add_parents, set_normal, activate, around   parts of model.py; their sums are exact, in any order

   A page is read as an array of code points. Whatever is rare is left to Python. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>

#define VERSION 5 /* that of compiled.py: raise both with any change of what either takes, gives or means */

typedef Py_ssize_t Size;

/* Numbers that grow in number. */
typedef struct {
    int64_t *at;
    Size n, room;
} Column;

static int push(Column *column, int64_t value)
{
    if (column->n == column->room) {
        Size room = 2 * column->room + 64;
        int64_t *at = PyMem_Realloc(column->at, room * sizeof *at);
        if (!at) {
            PyErr_NoMemory();
            return -1;
        }
        column->at = at;
        column->room = room;
    }
    column->at[column->n++] = value;
    return 0;
}

/* Push the numbers of a tuple. */
static int add_all(Column *column, PyObject *numbers)
{
    for (Size i = 0; i < PyTuple_GET_SIZE(numbers); i++) {
        int64_t number = PyLong_AsLongLong(PyTuple_GET_ITEM(numbers, i));
        if ((number == -1 && PyErr_Occurred()) || push(column, number))
            return -1;
    }
    return 0;
}

/* What a tag does: the order of _ACTIONS in scan.py. */
enum { INLINE, OPEN, CLOSE, SPAN, UNSPAN, LINK, UNLINK, IMAGE, BREAK, SVG, META, TITLE, SOURCE, PICTURE, PICTURE_END, BASE };
/* Columns of Scan, by name below; STACK, its own: outer container, its kind, outer figure. */
enum { KINDS, LINKED, FIGURES, CONTAINERS, INLINES, INLINE_ENDS, WORD_ENDS, STARTS, ENDS, PARENTS, DEPTHS, STACK, COLUMNS };
static const char *const NAMED[STACK] = {"kinds", "linked", "figures", "containers", "inline", "inline_ends",
                                         "word_ends", "starts", "ends", "parents", "depths"};
/* Objects of Scan that are added to, by name below. */
enum { TEXTS, SPANS, WORDS, LINKS, DRAWINGS, TAGS, IMAGES, OBJECTS };
static const char *const HELD[OBJECTS] = {"texts", "spans", "words", "links", "drawings", "tags", "images"};

/* What a Scanner remembers, by name below: tags, by how they stand in the page, by name or by class, and numbers. */
enum { CACHED, BY_NAME, LINK_CLASS, SPAN_CLASS, IMAGE_CLASS, TAGGED, WORD, SAID, KIND_OF, MEMORIES };
static const char *const MEMORY[MEMORIES] = {"_cache", "_by_name", "_links", "_spans", "_pictures", "_tags", "_word", "_said",
                                             "kinds"};

typedef struct {
    PyObject *scan, *page, *object[OBJECTS]; /* the module scan.py, a Scan, and what that holds */
    PyObject *scanner, *memory[MEMORIES];                    /* a Scanner, and what it remembers */
    Column column[COLUMNS];
    const Py_UCS4 *source;
    Py_UCS4 *piece; /* the block being read */
    Size said, room, last; /* its length, its room, where its last piece begins */
    Size begin;            /* where it begins in the source */
    Size own_end;          /* of the names on inline elements, those of items before it */
    int64_t linked, length;
    int container, kind, figure, preformatted, filled;
    int tr, td, th, pre, figure_kind, noscript_kind, image; /* numbers of kinds */
    int head, head_words, max_cell, max_names, max_value, max_known; /* limits of scan.py */
    int links, noscript, figures, in_picture, broke, shut;
    PyObject *link, *picture; /* tag of the last link; srcset values of the <picture> around */
} Walk;

static int is_cell(const Walk *w, int kind) { return kind == w->td || kind == w->th; }
static int is_row(const Walk *w, int kind) { return kind == w->tr || is_cell(w, kind); }

static PyObject *text_of(const Py_UCS4 *at, Size n) { return PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, at, n); }

/* What a method makes of these characters, and of `also` if that is not NULL. */
static PyObject *asked(PyObject *of, const char *method, const Py_UCS4 *at, Size n, PyObject *also)
{
    PyObject *text = text_of(at, n), *made = text ? PyObject_CallMethod(of, method, also ? "OO" : "O", text, also) : NULL;
    Py_XDECREF(text);
    return made;
}

static int starts(const Py_UCS4 *at, Size n, const char *what, Size i)
{
    for (; *what; what++, i++)
        if (i >= n || at[i] != (Py_UCS4)*what)
            return 0;
    return 1;
}

static Size find(const Py_UCS4 *at, Size n, const char *what, Size from)
{
    for (Size i = from; i < n; i++)
        if (at[i] == (Py_UCS4)*what && starts(at, n, what, i))
            return i;
    return -1;
}

static int is(const Py_UCS4 *at, Size n, const char *what) { return n == (Size)strlen(what) && starts(at, n, what, 0); }

static int add_piece(Walk *w, const Py_UCS4 *at, Size n)
{
    if (n > w->room - w->said) {
        Size room = 2 * w->room + n + 1024;
        Py_UCS4 *piece = PyMem_Realloc(w->piece, room * sizeof *piece);
        if (!piece) {
            PyErr_NoMemory();
            return -1;
        }
        w->piece = piece;
        w->room = room;
    }
    memcpy(w->piece + w->said, at, n * sizeof *at);
    w->last = w->said;
    w->said += n;
    return 0;
}

static int add_space(Walk *w)
{
    static const Py_UCS4 space[] = {' '};
    return add_piece(w, space, 1);
}

/* plain() of tag_values.py, in place; the new length. */
static Size plain(Py_UCS4 *at, Size n)
{
    static const struct {
        const char *name;
        Py_UCS4 meant;
    } references[] = {{"&nbsp;", 0xa0}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&amp;", '&'}};
    Size made = 0;
    for (Size i = 0; i < n;) {
        Py_UCS4 meant = at[i];
        Size wide = 1;
        for (int k = 0; at[i] == '&' && wide == 1 && k < 5; k++) {
            Size length = (Size)strlen(references[k].name);
            if (starts(at, n, references[k].name, i)) {
                meant = references[k].meant;
                wide = length;
            }
        }
        at[made++] = meant;
        i += wide;
    }
    return made;
}

/* _rendered() of scan.py, in place: the new length, and where it begins. */
static Size rendered(const Walk *w, Size *start)
{
    Py_UCS4 *at = w->piece;
    Size n = plain(at, w->said), made = 0;
    *start = 0;
    if (w->preformatted) {
        for (Size i = 0; i < n; i++)
            if (!at[i])
                at[i] = '\n';
        while (*start < n && at[*start] == '\n')
            ++*start;
        while (n > *start && Py_UNICODE_ISSPACE(at[n - 1]))
            n--;
        return n - *start;
    }
    int broken = 0;
    Py_UCS4 gap = 0;
    for (Size i = 0; i < n; i++) {
        Py_UCS4 c = at[i];
        if (!c) {
            gap = '\n';
            broken = 1;
        } else if (Py_UNICODE_ISSPACE(c)) {
            if (!gap)
                gap = ' ';
        } else {
            if (gap && made)
                at[made++] = gap;
            gap = 0;
            at[made++] = c;
        }
    }
    if (!broken && is_row(w, w->kind)) {
        while (*start < made && (at[*start] == '|' || at[*start] == ' '))
            ++*start;
        while (made > *start && (at[made - 1] == '|' || at[made - 1] == ' '))
            made--;
    }
    return made - *start;
}

static int append(PyObject *list, PyObject *value) /* takes the reference */
{
    int failed = !value || PyList_Append(list, value);
    Py_XDECREF(value);
    return failed ? -1 : 0;
}

/* The first words of a text, as head_words() of tag_values.py has them. */
static int add_words(Walk *w, const Py_UCS4 *at, Size n)
{
    Py_UCS4 word[64];
    Size wide = 0;
    int found = 0;
    n = n > w->head ? w->head : n;
    for (Size i = 0; i < n; i++)
        if (at[i] == 0x130 || at[i] == 0x3a3) { /* become two letters, or one or another */
            PyObject *words = asked(w->scan, "head_words", at, n, NULL);
            int failed = !words || PyList_SetSlice(w->object[WORDS], PY_SSIZE_T_MAX, PY_SSIZE_T_MAX, words);
            Py_XDECREF(words);
            return failed ? -1 : 0;
        }
    for (Size i = 0; i <= n && found < w->head_words; i++) {
        Py_UCS4 c = i < n ? Py_UNICODE_TOLOWER(at[i]) : ' ';
        if (Py_UNICODE_ISSPACE(c)) {
            if (wide && append(w->object[WORDS], text_of(word, wide)))
                return -1;
            found += wide > 0;
            wide = 0;
        } else if (c != '.' && c != ',') {
            word[wide++] = c >= '1' && c <= '9' ? '0' : c;
        }
    }
    return 0;
}

/* Scan.add(), but for the words. */
static int add_item(Walk *w, PyObject *text, int kind, int64_t linked, Size start, Size end)
{
    Column *column = w->column;
    PyObject *span = PyTuple_New(2), *from = PyLong_FromSsize_t(start), *to = PyLong_FromSsize_t(end);
    if (span && from && to) {
        PyTuple_SET_ITEM(span, 0, from);
        PyTuple_SET_ITEM(span, 1, to);
    } else {
        Py_CLEAR(span);
        Py_XDECREF(from);
        Py_XDECREF(to);
    }
    if (append(w->object[SPANS], span)) {
        Py_XDECREF(text);
        return -1;
    }
    return append(w->object[TEXTS], text) ||
           push(&column[KINDS], kind) || push(&column[LINKED], linked) || push(&column[FIGURES], w->figure) ||
           push(&column[CONTAINERS], w->container) || push(&column[INLINE_ENDS], column[INLINES].n);
}

static int end_words(Walk *w) { return push(&w->column[WORD_ENDS], PyList_GET_SIZE(w->object[WORDS])); }

/* The block being read ends at `end`: an item, if it says anything. */
static int end_block(Walk *w, int kind, Size end)
{
    Size start, n = rendered(w, &start);
    if (n) {
        const Py_UCS4 *at = w->piece + start;
        if (add_item(w, text_of(at, n), kind, w->linked, w->begin, end) || add_words(w, at, n) || end_words(w))
            return -1;
    }
    w->filled = 0;
    w->linked = w->length = 0;
    w->own_end = w->column[INLINES].n;
    return 0;
}

static int add_image(Walk *w, PyObject *tag, PyObject *picture, Size start, Size end)
{
    PyObject *none = PyUnicode_New(0, 0), *at = PyLong_FromSsize_t(PyList_GET_SIZE(w->object[TEXTS]));
    PyObject *image = none && at ? PyObject_CallMethod(w->scan, "Image", "OOOO", tag, picture, w->links ? w->link : none,
                                                       w->noscript ? Py_True : Py_False)
                                 : NULL;
    int failed = !image || PyDict_SetItem(w->object[IMAGES], at, image) ||
                 add_item(w, Py_NewRef(none), w->image, 0, start, end);
    Py_XDECREF(at);
    Py_XDECREF(image);
    Py_XDECREF(none);
    return failed ? -1 : 0;
}

/* Add the numbers of a word of a class or id, or of an attribute's value, to `numbers`. */
static int add_numbers(Walk *w, Column *numbers, int held, const char *ask, const Py_UCS4 *at, Size n)
{
    PyObject *key = text_of(at, n), *found = key ? Py_XNewRef(PyDict_GetItemWithError(w->memory[held], key)) : NULL;
    if (key && !found && !PyErr_Occurred())
        found = PyObject_CallMethod(w->scanner, ask, "O", key);
    int failed = !found || add_all(numbers, found);
    Py_XDECREF(key);
    Py_XDECREF(found);
    return failed ? -1 : 0;
}

static int is_upper(Py_UCS4 c) { return c >= 'A' && c <= 'Z'; }
static int is_lower(Py_UCS4 c) { return c >= 'a' && c <= 'z'; }

/* Scanner._numbers: those of the first words of a class or id. NAMES of tag_values.py, by hand. */
static int add_words_of(Walk *w, Column *numbers, const Py_UCS4 *at, Size n)
{
    n = n > w->max_value ? w->max_value : n;
    int words = 0;
    for (Size i = 0; i < n && words < w->max_names;) {
        Size lower = i + is_upper(at[i]), end = lower;
        while (end < n && is_lower(at[end]))
            end++;
        if (end - lower < 2)
            for (end = i; end < n && is_upper(at[end]);)
                end++;
        if (end - i < 2) {
            i++;
            continue;
        }
        if (add_numbers(w, numbers, WORD, "_word_numbers", at + i, end - i))
            return -1;
        words++;
        i = end;
    }
    return 0;
}

/* The Tag of this action, kind and names, a new reference. */
static PyObject *tag_of(Walk *w, int action, int kind, const Column *numbers)
{
    PyObject *names = PyTuple_New(numbers->n), *found = NULL, *number;
    for (Size i = 0; names && i < numbers->n; i++) {
        if (!(number = PyLong_FromLongLong(numbers->at[i])))
            Py_CLEAR(names);
        else
            PyTuple_SET_ITEM(names, i, number);
    }
    PyObject *key = names ? Py_BuildValue("iiO", action, kind, names) : NULL;
    if (key && !(found = Py_XNewRef(PyDict_GetItemWithError(w->memory[TAGGED], key))) && !PyErr_Occurred())
        found = PyObject_CallMethod(w->scanner, "_tag", "iiO", action, kind, names);
    Py_XDECREF(names);
    Py_XDECREF(key);
    return found;
}

static int remembered(const Walk *w, PyObject *where, PyObject *key, PyObject *found)
{
    return !found || (PyUnicode_GET_LENGTH(key) <= w->max_known && PyDict_SetItem(where, key, found)) ? -1 : 0;
}

/* A link, span or image, by its class. */
static PyObject *classed(Walk *w, PyObject *where, int action, const Py_UCS4 *value, Size n)
{
    PyObject *key = text_of(value, n), *found = key ? Py_XNewRef(PyDict_GetItemWithError(where, key)) : NULL;
    if (key && !found && !PyErr_Occurred()) {
        Column numbers = {0};
        if (!add_words_of(w, &numbers, value, n) && remembered(w, where, key, found = tag_of(w, action, 0, &numbers)))
            Py_CLEAR(found);
        PyMem_Free(numbers.at);
    }
    Py_XDECREF(key);
    return found;
}

static int like(const Py_UCS4 *at, Size n, const char *what, Size i) /* in lower or upper case */
{
    for (; *what; what++, i++)
        if (i >= n || (at[i] | 0x20) != (Py_UCS4)*what)
            return 0;
    return 1;
}

/* Scanner._names_of for what is common: 1 if this is such a tag, 0 if it is left to Python. */
static int names_of(Walk *w, Column *numbers, const Py_UCS4 *at, Size n, Size from)
{
    enum { STYLE = 5 }; /* says nothing here, as there is no display: or visibility:, but others may seem to stand in it */
    static const char *const said[] = {" role=\"", " itemprop=\"", " itemtype=\"", " hidden=\"", " aria-hidden=\"",
                                       " style=\""};
    for (Size i = from; i < n; i++)
        if (at[i] > 0x7f || like(at, n, "caption", i) || like(at, n, "isplay:", i) || like(at, n, "isibility:", i))
            return 0;
    for (int named = 0; named < 2; named++) /* first classes and ids, then the others */
        for (Size i = from; i < n; i++) {
            Size value = 0, end;
            int which = -1;
            if (at[i] != ' ')
                continue;
            if (!named)
                value = starts(at, n, " class=\"", i) ? i + 8 : starts(at, n, " id=\"", i) ? i + 5 : 0;
            for (int k = 0; named && which < 0 && k < 6; k++)
                if (starts(at, n, said[k], i)) {
                    value = i + (Size)strlen(said[k]);
                    which = k;
                }
            if (!value || (end = find(at, n, "\"", value)) < 0)
                continue;
            if (!named ? add_words_of(w, numbers, at + value, end - value)
                       : which < STYLE && add_numbers(w, numbers, SAID, "_said_numbers", at + i + 1, end - i - 1))
                return -1;
            i = end;
        }
    return 1;
}

/* Scanner._learn: what a tag does, a new reference. */
static PyObject *learnt(Walk *w, const Py_UCS4 *tag, Size n, Size wide)
{
    PyObject *key = text_of(tag, n), *found = key ? Py_XNewRef(PyDict_GetItemWithError(w->memory[CACHED], key)) : NULL;
    if (key && !found && !PyErr_Occurred()) {
        Column numbers = {0};
        PyObject *name = text_of(tag, wide), *kind = name ? PyDict_GetItemWithError(w->memory[KIND_OF], name) : NULL;
        int simple = wide < n && (kind || (tag[0] != '/' && find(tag, wide, "-", 0) < 0)) && name && !PyErr_Occurred()
                         ? names_of(w, &numbers, tag, n, wide)
                         : 0;
        int action = kind ? OPEN : INLINE, number = kind ? (int)PyLong_AsLong(kind) : 0;
        if (simple > 0 && remembered(w, w->memory[CACHED], key, found = tag_of(w, action, number, &numbers)))
            Py_CLEAR(found);
        if (!simple && !PyErr_Occurred())
            found = PyObject_CallMethod(w->scanner, "_learn", "O", key);
        Py_XDECREF(name);
        PyMem_Free(numbers.at);
    }
    Py_XDECREF(key);
    return found;
}

/* What a tag does, a new reference. */
static PyObject *known(Walk *w, const Py_UCS4 *tag, Size n)
{
    Size wide = 0;
    while (wide < n && tag[wide] != ' ')
        wide++;
    int action = is(tag, wide, "a") ? LINK : is(tag, wide, "span") ? SPAN : is(tag, wide, "img") ? IMAGE : INLINE;
    if (action != INLINE) {
        Size value = find(tag, n, "class=\"", wide), end = value < 0 ? -1 : find(tag, n, "\"", value + 7);
        PyObject *where = w->memory[action == LINK ? LINK_CLASS : action == SPAN ? SPAN_CLASS : IMAGE_CLASS];
        if (value < 0)
            return classed(w, where, action, tag, 0);
        if (end >= 0)
            return classed(w, where, action, tag + value + 7, end - value - 7);
        return asked(w->scanner, "_learn", tag, n, NULL); /* its class is cut off */
    }
    if (wide < n) {
        PyObject *name = text_of(tag, wide), *found = name ? PyDict_GetItemWithError(w->memory[BY_NAME], name) : NULL;
        Py_XDECREF(name);
        if (found || PyErr_Occurred())
            return Py_XNewRef(found);
    }
    return learnt(w, tag, n, wide);
}

static int add_names(Walk *w, PyObject *names) { return add_all(&w->column[INLINES], names); }

/* A background that a container's tag declares is an image. */
static int add_background(Walk *w, const Py_UCS4 *tag, Size n, Size start)
{
    PyObject *image = asked(w->scan, "background_tag", tag, n, NULL), *none = PyList_New(0);
    int failed = !image || !none;
    if (!failed && PyUnicode_GET_LENGTH(image)) {
        failed = add_image(w, image, none, start, start + n + 2) || end_words(w);
        w->own_end = w->column[INLINES].n;
    }
    Py_XDECREF(image);
    Py_XDECREF(none);
    return failed ? -1 : 0;
}

static int open_or_close(Walk *w, PyObject *tag_known, int opens, int kind, const Py_UCS4 *tag, Size n, Size at)
{
    static const Py_UCS4 bar[] = {' ', '|', ' '};
    Column *column = w->column, *stack = &w->column[STACK];
    int cell = is_cell(w, kind);
    if (w->filled && !(cell && w->length < w->max_cell && is_row(w, w->kind)))
        if (end_block(w, is_cell(w, w->kind) ? w->tr : w->kind, at))
            return -1;
    if (!w->filled) {
        w->said = 0;
        column[INLINES].n = w->own_end;
        w->begin = at + n + 2;
    }
    w->broke = w->shut = 0;
    if (opens) {
        if (w->filled && cell && !(w->said - w->last == 3 && !memcmp(w->piece + w->last, bar, sizeof bar)))
            if (add_piece(w, bar, 3))
                return -1;
        if (push(&column[DEPTHS], stack->n / 3) || push(stack, w->container) || push(stack, w->kind) ||
            push(stack, w->figure) || push(&column[PARENTS], w->container) ||
            push(&column[STARTS], PyList_GET_SIZE(w->object[TEXTS])) || push(&column[ENDS], 0) ||
            PyList_Append(w->object[TAGS], tag_known))
            return -1;
        w->container = (int)(column[STARTS].n - 1);
        w->kind = kind;
        if (kind == w->figure_kind)
            w->figure = ++w->figures;
        else if (kind == w->pre)
            w->preformatted++;
        else if (kind == w->noscript_kind)
            w->noscript++;
        return find(tag, n, "url(", 0) < 0 ? 0 : add_background(w, tag, n, at);
    }
    if (stack->n) {
        column[ENDS].at[w->container] = PyList_GET_SIZE(w->object[TEXTS]) + w->filled;
        stack->n -= 3;
        w->container = (int)stack->at[stack->n];
        w->kind = (int)stack->at[stack->n + 1];
        w->figure = (int)stack->at[stack->n + 2];
        if (kind == w->pre && w->preformatted)
            w->preformatted--;
        else if (kind == w->noscript_kind && w->noscript)
            w->noscript--;
    }
    return 0;
}

/* apart() of scan.py: of the piece before and the text after. */
static int are_apart(const Walk *w, const Py_UCS4 *text, Size wide)
{
    static const Py_UCS4 opens[] = {'(', '[', '{', 0xff08, 0x3010, 0x300c, 0x300e, 0};
    static const Py_UCS4 closes[] = {',',    '.',    ';',    ':',    '!',    '?',    ')',    ']',    '}',    '%', 0x2026,
                                     0xff0c, 0x3002, 0x3001, 0xff1b, 0xff1a, 0xff01, 0xff1f, 0xff09, 0x3011, 0x300d, 0x300f, 0};
    for (const Py_UCS4 *c = opens; *c && w->said; c++)
        if (w->piece[w->said - 1] == *c)
            return 0;
    for (const Py_UCS4 *c = closes; *c && wide; c++)
        if (*text == *c)
            return 0;
    return 1;
}

/* Inline elements that are apart where they touch. */
static int open_inline(Walk *w, PyObject *names, const Py_UCS4 *text, Size wide)
{
    int apart = w->shut && !w->preformatted && are_apart(w, text, wide);
    w->shut = 0;
    return (apart && add_space(w)) || add_names(w, names) ? -1 : 0;
}

static int open_link(Walk *w, PyObject *names, const Py_UCS4 *tag, Size n, const Py_UCS4 *text, Size wide)
{
    PyObject *link = text_of(tag, n);
    if (!link || PyList_Append(w->object[LINKS], link)) {
        Py_XDECREF(link);
        return -1;
    }
    Py_XSETREF(w->link, link);
    w->links++;
    if (open_inline(w, names, text, wide))
        return -1;
    if (find(tag, n, "license", 0) < 0)
        return 0;
    PyObject *done = PyObject_CallMethod(w->scan, "take_licence", "OO", link, w->page);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* An image, a rule or two line breaks end a block; so does a picture whose image is added by a script. */
static int divide(Walk *w, long action, PyObject *names, const Py_UCS4 *tag, Size n, Size at)
{
    if (w->filled && end_block(w, is_cell(w, w->kind) ? w->tr : w->kind, at))
        return -1;
    w->said = 0;
    w->begin = at + n + 2;
    if (action == BREAK)
        return 0;
    PyObject *text = action == IMAGE ? text_of(tag, n) : PyUnicode_FromString("img"), *words = NULL, *around = w->in_picture ? Py_NewRef(w->picture) : PyList_New(0);
    w->in_picture = 0; /* its sources are this element's */
    int failed = !text || !around || add_names(w, names) || add_image(w, text, around, at, w->begin) ||
                 !(words = PyObject_CallMethod(w->scan, "described", "O", text)) ||
                 PyList_SetSlice(w->object[WORDS], PY_SSIZE_T_MAX, PY_SSIZE_T_MAX, words) || end_words(w);
    w->own_end = w->column[INLINES].n;
    Py_XDECREF(text);
    Py_XDECREF(words);
    Py_XDECREF(around);
    return failed ? -1 : 0;
}

/* What stands in few places of a page. */
static int seldom(Walk *w, long action, PyObject *names, const Py_UCS4 *tag, Size n, const Py_UCS4 *text, Size wide,
                  Size at)
{
    PyObject *done;
    switch (action) {
    case SVG:
        return append(w->object[DRAWINGS], PyLong_FromSsize_t(PyList_GET_SIZE(w->object[TEXTS])));
    case SOURCE:
        return w->in_picture ? append(w->picture, asked(w->scan, "srcset_of", tag, n, NULL)) : 0;
    case PICTURE:
        w->in_picture = 1;
        Py_XSETREF(w->picture, PyList_New(0));
        return w->picture ? 0 : -1;
    case PICTURE_END:
        for (Size i = 0; w->in_picture && i < PyList_GET_SIZE(w->picture); i++)
            if (PyUnicode_GET_LENGTH(PyList_GET_ITEM(w->picture, i)))
                return divide(w, action, names, tag, n, at);
        w->in_picture = 0;
        return 0;
    default: /* META, TITLE, BASE */
        done = action == TITLE ? asked(w->scan, "take_title", text, wide, w->page)
                               : asked(w->scan, action == META ? "take_meta" : "take_base", tag, n, w->page);
        Py_XDECREF(done);
        return done ? 0 : -1;
    }
}

static int add_text(Walk *w, const Py_UCS4 *text, Size n)
{
    Size i = 0;
    while (i < n && Py_UNICODE_ISSPACE(text[i]))
        i++;
    if (i == n)
        return n && w->filled ? add_piece(w, text, n) : 0;
    w->filled = 1;
    w->broke = 0;
    w->length += n;
    if (w->links)
        w->linked += n;
    return add_piece(w, text, n);
}

/* A tag and the text after it. */
static int step(Walk *w, const Py_UCS4 *tag, Size n, const Py_UCS4 *text, Size wide, Size at)
{
    static const Py_UCS4 broken[] = {0};
    PyObject *found = known(w, tag, n);
    if (!found)
        return -1;
    long action = PyLong_AsLong(PyTuple_GET_ITEM(found, 0)), kind = PyLong_AsLong(PyTuple_GET_ITEM(found, 1));
    PyObject *names = PyTuple_GET_ITEM(found, 2);
    int failed = 0;
    switch (action) {
    case INLINE:
        w->shut = 0;
        failed = add_names(w, names);
        break;
    case OPEN:
    case CLOSE:
        failed = open_or_close(w, found, action == OPEN, (int)kind, tag, n, at);
        break;
    case SPAN:
        failed = open_inline(w, names, text, wide);
        break;
    case LINK:
        failed = open_link(w, names, tag, n, text, wide);
        break;
    case UNLINK:
        w->links -= w->links > 0; /* fall through */
    case UNSPAN:
        w->shut = !wide;
        break;
    case BREAK:
        if (!w->broke && w->filled && !starts(tag, n, "hr", 0)) {
            w->broke = 1;
            failed = add_piece(w, broken, 1);
            break;
        } /* fall through */
    case IMAGE:
        failed = divide(w, action, names, tag, n, at);
        break;
    default:
        failed = seldom(w, action, names, tag, n, text, wide, at);
    }
    Py_DECREF(found);
    return failed || (action != TITLE && add_text(w, text, wide)) ? -1 : 0;
}

static int is_edge(Py_UCS4 c) { return c == '<' || c == '>'; }

/* All tags of the source. As many "<" as ">" there: each is the edge of a tag. Else one stands in a tag's own name. */
static int walked(Walk *w, Size n)
{
    const Py_UCS4 *s = w->source;
    int64_t opened = 0;
    for (Size i = 0; i < n; i++)
        opened += (s[i] == '<') - (s[i] == '>');
    Size i = 0;
    while (i < n && !(opened ? s[i] == '<' : is_edge(s[i])))
        i++;
    w->begin = i;
    Size at = i; /* as i, but where a tag is cut off */
    while (i < n) {
        Size tag = i + 1, end = tag, next;
        while (end < n && !(opened ? s[end] == '>' : is_edge(s[end])))
            end++;
        Size text = end < n ? end + 1 : n;
        for (next = text; next < n && !(opened ? s[next] == '<' : is_edge(s[next]));)
            next++;
        if (step(w, s + tag, end - tag, s + text, next - text, at))
            return -1;
        at += end - tag + next - text + 2;
        i = next;
    }
    if (w->filled && end_block(w, w->kind, at))
        return -1;
    for (Column *stack = &w->column[STACK]; stack->n; w->container = (int)stack->at[stack->n]) {
        w->column[ENDS].at[w->container] = PyList_GET_SIZE(w->object[TEXTS]);
        stack->n -= 3;
    }
    return 0;
}

static int filled_in(Walk *w)
{
    for (int i = 0; i < STACK; i++) {
        PyObject *array = PyObject_GetAttrString(w->page, NAMED[i]);
        PyObject *done = array ? PyObject_CallMethod(array, "frombytes", "y#", w->column[i].at ? (char *)w->column[i].at : "",
                                                     w->column[i].n * (Size)sizeof(int64_t))
                               : NULL;
        Py_XDECREF(array);
        Py_XDECREF(done);
        if (!done)
            return -1;
    }
    return 0;
}

/* walk(scan, scanner, source, page, kinds, limits) */
static PyObject *walk(PyObject *self, PyObject *arguments)
{
    Walk w = {.container = -1};
    PyObject *source;
    int failed = 1;
    if (!PyArg_ParseTuple(arguments, "OOUO(iiiiiii)(iiiiii)", &w.scan, &w.scanner, &source, &w.page, &w.tr, &w.td, &w.th, &w.pre,
                          &w.figure_kind, &w.noscript_kind, &w.image, &w.head, &w.head_words, &w.max_cell, &w.max_names,
                          &w.max_value, &w.max_known))
        return NULL;
    for (int i = 0; i < OBJECTS; i++)
        if (!(w.object[i] = PyObject_GetAttrString(w.page, HELD[i])) ||
            !(i == IMAGES ? PyDict_CheckExact(w.object[i]) : PyList_CheckExact(w.object[i])))
            goto done;
    for (int i = 0; i < MEMORIES; i++)
        if (!(w.memory[i] = PyObject_GetAttrString(w.scanner, MEMORY[i])) || !PyDict_CheckExact(w.memory[i]))
            goto done;
    if (w.head > 64)
        goto done;
    w.source = PyUnicode_AsUCS4Copy(source);
    failed = !w.source || walked(&w, PyUnicode_GET_LENGTH(source)) || filled_in(&w);
done:
    PyMem_Free((void *)w.source);
    PyMem_Free(w.piece);
    for (int i = 0; i < COLUMNS; i++)
        PyMem_Free(w.column[i].at);
    for (int i = 0; i < OBJECTS; i++)
        Py_XDECREF(w.object[i]);
    for (int i = 0; i < MEMORIES; i++)
        Py_XDECREF(w.memory[i]);
    Py_XDECREF(w.link);
    Py_XDECREF(w.picture);
    if (!failed)
        Py_RETURN_NONE;
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "walk: no Scan, or limits beyond those that it was compiled with");
    return NULL;
}

static int is_blank(Py_UCS4 c) { return c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' '; }

/* Where a tag ends whose name ends at i, as HTML has it and _WHOLE of limits.py; 0 if it is no whole tag. */
static Size end_of_tag(int kind, const void *at, Size n, Size i)
{
#define AT(i) PyUnicode_READ(kind, at, i)
    for (;;) {
        while (i < n && (is_blank(AT(i)) || AT(i) == '/'))
            i++;
        if (i == n)
            return 0;
        if (AT(i) == '>')
            return i + 1;
        for (i++; i < n && !is_blank(AT(i)) && AT(i) != '/' && AT(i) != '>' && AT(i) != '=';)
            i++;
        Size value = i;
        while (value < n && is_blank(AT(value)))
            value++;
        if (value == n || AT(value) != '=')
            continue;
        for (value++; value < n && is_blank(AT(value));)
            value++;
        if (value < n && (AT(value) == '"' || AT(value) == '\'')) {
            Size end = value + 1;
            while (end < n && AT(end) != AT(value))
                end++;
            i = end < n ? end + 1 : value;
        } else {
            for (i = value; i < n && !is_blank(AT(i)) && AT(i) != '>';)
                i++;
        }
    }
}

/* counted() of limits.py, as a tuple. */
static PyObject *counted(PyObject *self, PyObject *const *given, Size count)
{
    static const char *const formatting[] = {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike",
                                             "strong", "tt", "u"};
    Size most = count == 2 && PyUnicode_Check(given[0]) ? PyLong_AsSsize_t(given[1]) : -1;
    PyObject *html = most < 0 ? NULL : given[0], *parts = html ? PyList_New(0) : NULL;
    if (!parts)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "counted: a str and a length");
    Size n = PyUnicode_GET_LENGTH(html), tags = 0, closing = 0, many = 0, characters = 0, once = 0, after = 0;
    int kind = PyUnicode_KIND(html);
    const void *at = PyUnicode_DATA(html);
    for (Size i = -1, next; i < n; i = next) {
        if (i + 1 >= n || (next = PyUnicode_FindChar(html, '<', i + 1, n, 1)) < 0)
            next = n;
        if (next - i - 1 > most && append(parts, PyUnicode_Substring(html, i + 1, next))) {
            Py_DECREF(parts);
            return NULL;
        }
        if (i < 0)
            continue;
        tags++;
        closing += i + 1 < n && AT(i + 1) == '/';
        Py_UCS4 first = i + 1 < n ? AT(i + 1) | 0x20 : 0;
        for (int k = 0; many >= 0 && k < 14; k++) {
            if ((Py_UCS4)formatting[k][0] != first)
                continue;
            Size end = i + 1;
            for (const char *c = formatting[k]; *c && end < n && (AT(end) | 0x20) == (Py_UCS4)*c; c++)
                end++;
            if (end - i - 1 != (Size)strlen(formatting[k]) || end == n || !(is_blank(AT(end)) || AT(end) == '/'))
                continue;
            Size whole = i < after ? 0 : end_of_tag(kind, at, n, end);
            if (!whole)
                many = -1;
            else if (k == 0 || k == 7) /* a and nobr */
                once = whole - i > once ? whole - i : once;
            else
                many++, characters += whole - i;
            after = whole;
            break;
        }
    }
#undef AT
    return Py_BuildValue("nnNnnn", tags, closing, parts, many, characters, once);
}

#define BY_WIDTH(text, DO)                                                                                             \
    if (PyUnicode_KIND(text) == PyUnicode_1BYTE_KIND) {                                                                \
        DO(Py_UCS1)                                                                                                    \
    } else if (PyUnicode_KIND(text) == PyUnicode_2BYTE_KIND) {                                                         \
        DO(Py_UCS2)                                                                                                    \
    } else {                                                                                                           \
        DO(Py_UCS4)                                                                                                    \
    }

/* Whether a str holds one of a tuple of strs, each of three ASCII characters or more. */
static PyObject *holds(PyObject *self, PyObject *const *given, Size count)
{
    if (count != 2 || !PyUnicode_Check(given[0]) || !PyTuple_Check(given[1]))
        return PyErr_Format(PyExc_TypeError, "holds: a str and a tuple");
    enum { KEYS = 1 << 15 }; /* of the last three characters, which 5 bits a step leave in a key */
    char ends[KEYS] = {0};
    Size words = PyTuple_GET_SIZE(given[1]), n = PyUnicode_GET_LENGTH(given[0]);
    for (Size k = 0; k < words; k++) {
        PyObject *word = PyTuple_GET_ITEM(given[1], k);
        if (!PyUnicode_Check(word) || !PyUnicode_IS_ASCII(word) || PyUnicode_GET_LENGTH(word) < 3)
            return PyErr_Format(PyExc_TypeError, "holds: words of three ASCII characters or more");
        unsigned key = 0;
        for (Size i = 0; i < PyUnicode_GET_LENGTH(word); i++)
            key = (key << 5 ^ PyUnicode_1BYTE_DATA(word)[i]) % KEYS;
        ends[key] = 1;
    }
    unsigned key = 0;
#define SEARCH(type)                                                                                                   \
    for (Size i = 0; i < n; i++) {                                                                                     \
        const type *at = (const type *)PyUnicode_DATA(given[0]) + i;                                                   \
        key = (key << 5 ^ *at) % KEYS;                                                                                 \
        for (Size k = 0; ends[key] && k < words; k++) {                                                                \
            const Py_UCS1 *word = PyUnicode_1BYTE_DATA(PyTuple_GET_ITEM(given[1], k));                                 \
            Size length = PyUnicode_GET_LENGTH(PyTuple_GET_ITEM(given[1], k)), same = 0;                               \
            while (same < length && same <= i && at[-same] == word[length - 1 - same])                                 \
                same++;                                                                                                \
            if (same == length)                                                                                        \
                Py_RETURN_TRUE;                                                                                        \
        }                                                                                                              \
    }
    BY_WIDTH(given[0], SEARCH)
#undef SEARCH
    Py_RETURN_FALSE;
}

/* find(text, word, begin, end): str.find, of an ASCII word of two characters or more. Whether its first and its last character
   stand where they should is asked of many places at once, by instructions for several numbers. */
static PyObject *found(PyObject *self, PyObject *const *given, Size count)
{
    enum { BLOCK = 128 };
    if (count != 4 || !PyUnicode_Check(given[0]) || !PyUnicode_Check(given[1]) || !PyUnicode_IS_ASCII(given[1]) ||
        PyUnicode_GET_LENGTH(given[1]) < 2)
        return PyErr_Format(PyExc_TypeError, "find: a str, an ASCII word and two numbers");
    Size i = PyLong_AsSsize_t(given[2]), n = PyLong_AsSsize_t(given[3]), wide = PyUnicode_GET_LENGTH(given[1]);
    if (PyErr_Occurred())
        return NULL;
    const Py_UCS1 *word = PyUnicode_1BYTE_DATA(given[1]);
    n = n < PyUnicode_GET_LENGTH(given[0]) ? n : PyUnicode_GET_LENGTH(given[0]);
    i = i < 0 ? 0 : i;
#define SEARCH(type)                                                                                                   \
    for (const type *at = PyUnicode_DATA(given[0]), first = word[0], last = word[wide - 1]; i + wide <= n;) {          \
        Size block = n - wide - i + 1 < BLOCK ? n - wide - i + 1 : BLOCK;                                              \
        type any = block < BLOCK;                                                                                      \
        if (!any)                                                                                                      \
            for (int k = 0; k < BLOCK; k++)                                                                            \
                any |= (type)((at[i + k] == first) & (at[i + k + wide - 1] == last));                                  \
        for (Size end = i + block; any && i < end; i++) {                                                              \
            Size same = 0;                                                                                             \
            while (same < wide && at[i + same] == word[same])                                                          \
                same++;                                                                                                \
            if (same == wide)                                                                                          \
                return PyLong_FromSsize_t(i);                                                                          \
        }                                                                                                              \
        i += any ? 0 : BLOCK;                                                                                          \
    }
    BY_WIDTH(given[0], SEARCH)
#undef SEARCH
    return PyLong_FromLong(-1);
}

/* Where in a str an ASCII character stands, from i on; its length where it does not. */
static Size next(PyObject *text, Py_UCS4 c, Size i, Size n)
{
    Size found = i < n ? PyUnicode_FindChar(text, c, i, n, 1) : -1;
    return found < 0 ? n : found;
}

/* Whether ASCII characters stand at i of a str of n characters. */
static int stands(PyObject *text, Size i, Size n, const char *what, Size length)
{
    if (length > n - i)
        return 0;
    for (Size k = 0; k < length; k++)
        if (PyUnicode_READ_CHAR(text, i + k) != (Py_UCS1)what[k])
            return 0;
    return 1;
}

/* Append the characters from..to of a str, if there are any. */
static int append_part(PyObject *parts, PyObject *text, Size from, Size to)
{
    return from < to ? append(parts, PyUnicode_Substring(text, from, to)) : 0;
}

/* Whether elements of a name may stand in each other: NESTED of source.py. */
static int nests(const char *name) { return !strcmp(name, "svg") || !strcmp(name, "template") || !strcmp(name, "object"); }

/* _Reading.close of source.py; *whole is set to 0 where elements of the name turn out not to. */
static Size close_of(PyObject *source, Size n, Size i, const char *name, Size length, char *whole)
{
    Size first = n, depth = 1;
    for (; (i = next(source, '<', i, n)) < n; i++) {
        Size ends = stands(source, i + 1, n, "/", 1), after = i + 1 + ends + length;
        if (!stands(source, i + 1 + ends, n, name, length))
            continue;
        if (ends) {
            first = first < n ? first : i;
            if (!*whole || !--depth)
                return i;
        } else {
            depth += after < n && (PyUnicode_READ_CHAR(source, after) == ' ' || PyUnicode_READ_CHAR(source, after) == '>');
        }
    }
    *whole = 0;
    return first;
}

/* cut(source, names, drawings, ask): _Reading.cut of source.py. Elements of these names are cut out, with comments; of
   those that come after the name None, and of scripts of which the tag holds "+json" or "math/", ask(name, start, inner) says
   what stays and where the page goes on. To `drawings` "" is added for each svg that is cut. */
static PyObject *cut(PyObject *self, PyObject *const *given, Size count)
{
    if (count != 4 || !PyUnicode_Check(given[0]) || !PyTuple_Check(given[1]) || !PyList_Check(given[2]))
        return PyErr_Format(PyExc_TypeError, "cut: a str, a tuple, a list and a function");
    enum { MOST = 64 }; /* names */
    PyObject *source = given[0], *names = given[1], *parts = PyList_New(0), *empty = PyUnicode_New(0, 0), *made = NULL;
    Size n = PyUnicode_GET_LENGTH(source), at = 0, start, words = PyTuple_GET_SIZE(names);
    int failed = !parts || !empty;
#define PAIR(a, b) (((a) & 31) << 5 | ((b) & 31))
    char begin[PAIR(31, 31) + 1] = {[PAIR('!', '-')] = 1}; /* the first two letters of what is looked for */
    char whole[MOST] = {0};
    failed |= words > MOST;
    for (Size k = 0; k < words && !failed; k++) {
        PyObject *name = PyTuple_GET_ITEM(names, k);
        if (!PyUnicode_Check(name) || PyUnicode_GET_LENGTH(name) < 2)
            continue;
        begin[PAIR(PyUnicode_READ_CHAR(name, 0), PyUnicode_READ_CHAR(name, 1))] = 1;
        whole[k] = PyUnicode_IS_ASCII(name) && nests((const char *)PyUnicode_1BYTE_DATA(name));
    }
    for (Size i = 0; !failed && (start = next(source, '<', i, n)) < n; i = i > at ? i : at) {
        i = start + 1;
        if (n - i < 2 || !begin[PAIR(PyUnicode_READ_CHAR(source, i), PyUnicode_READ_CHAR(source, i + 1))])
            continue;
        if (stands(source, i, n, "!--", 3)) {
            Size end = start + 4;
            do
                end = next(source, '>', end, n) + 1;
            while (end <= n && (end < start + 7 || !stands(source, end - 3, n, "--", 2)));
            failed = append_part(parts, source, at, start);
            at = end < n ? end : n;
            continue;
        }
        int asked = 0;
        for (Size k = 0; k < words; k++) {
            PyObject *name = PyTuple_GET_ITEM(names, k);
            Size length = name == Py_None ? 0 : PyUnicode_GetLength(name);
            if (length < 0 || (length && !PyUnicode_IS_ASCII(name))) {
                failed = -1;
                break;
            }
            asked |= !length;
            const char *said = length ? (const char *)PyUnicode_1BYTE_DATA(name) : "";
            if (!length || !stands(source, i, n, said, length) || i + length >= n ||
                (PyUnicode_READ_CHAR(source, i + length) != ' ' && PyUnicode_READ_CHAR(source, i + length) != '>'))
                continue;
            Size inner = next(source, '>', i + length, n), end;
            inner += inner < n;
            if (!asked && !strcmp(said, "script"))
                for (Size c = i; c < inner && !asked; c++)
                    asked = stands(source, c, inner, "+json", 5) || stands(source, c, inner, "math/", 5);
            if (asked) {
                PyObject *stays = PyObject_CallFunction(given[3], "Onn", name, start, inner), *text;
                failed = append_part(parts, source, at, start) || !stays || !PyArg_ParseTuple(stays, "Un", &text, &end) ||
                         append(parts, Py_NewRef(text)) || end <= start;
                Py_XDECREF(stays);
            } else {
                end = close_of(source, n, inner, said, length, &whole[k]) + length + 3;
                failed = append_part(parts, source, at, inner) || (!strcmp(said, "svg") && append(given[2], Py_NewRef(empty)));
            }
            at = failed ? at : end < n ? end : n;
            break;
        }
    }
    if (!failed && at)
        made = append_part(parts, source, at, n) ? NULL : PyUnicode_Join(empty, parts);
    else if (!failed)
        made = Py_NewRef(source);
#undef PAIR
    Py_XDECREF(parts);
    Py_XDECREF(empty);
    return made || PyErr_Occurred() ? made : PyErr_Format(PyExc_TypeError, "cut: names that are not ASCII, or an end that is none");
}

/* An argument that is an array, C-contiguous. */
typedef struct {
    Py_buffer view;
    Size n; /* numbers of 8 bytes in it */
    union {
        double *real;
        int64_t *whole;
    };
} Array;

/* Those whose bits are in `written` are written to. A fault of these is weft's own and never a page's: no ValueError. */
static int arrays(const char *function, PyObject *const *given, Size count, Array *made, unsigned written)
{
    for (Size i = 0; i < count; i++) {
        if (PyObject_GetBuffer(given[i], &made[i].view, written >> i & 1 ? PyBUF_CONTIG : PyBUF_CONTIG_RO)) {
            if (!PyErr_ExceptionMatches(PyExc_MemoryError))
                PyErr_Format(PyExc_SystemError, "%s: what should be a contiguous array is a %s", function,
                             Py_TYPE(given[i])->tp_name);
            while (i--)
                PyBuffer_Release(&made[i].view);
            return -1;
        }
        made[i].n = made[i].view.len / 8;
        made[i].real = made[i].view.buf;
    }
    return 0;
}

static PyObject *released(const char *function, Array *made, Size count, int failed)
{
    for (Size i = 0; i < count; i++)
        PyBuffer_Release(&made[i].view);
    if (failed)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_IndexError, "%s: numbers beyond their table", function);
    Py_RETURN_NONE;
}

/* add_rows(table (R, W), numbers, ends (N,), out (N, S), W, offset): add to out[n, offset:offset + W] the rows of the table
   that the numbers of item n stand for, which end at ends[n]; the last row for -1. */
static PyObject *add_rows(PyObject *self, PyObject *const *given, Size count)
{
    enum { TABLE, NUMBERS, ROW_ENDS, OUT };
    Array a[4];
    Size wide = count == 6 ? PyLong_AsSsize_t(given[4]) : 0, offset = count == 6 ? PyLong_AsSsize_t(given[5]) : -1;
    if (wide <= 0 || offset < 0 || arrays(__func__, given, 4, a, 1 << OUT))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "add_rows: four arrays, a width and an offset");
    Size items = a[ROW_ENDS].n, rows = a[TABLE].n / wide, stride = items ? a[OUT].n / items : 0, at = 0;
    int failed = items && offset + wide > stride;
    for (Size n = 0; n < items && !failed; n++) {
        double *out = a[OUT].real + n * stride + offset;
        if (a[ROW_ENDS].whole[n] > a[NUMBERS].n)
            failed = 1;
        for (; at < a[ROW_ENDS].whole[n] && !failed; at++) {
            int64_t row = a[NUMBERS].whole[at];
            row += row < 0 ? rows : 0;
            if (row < 0 || row >= rows) {
                failed = 1;
                break;
            }
            const double *restrict from = a[TABLE].real + row * wide;
            double *restrict to = out;
            for (Size k = 0; k < wide; k++)
                to[k] += from[k];
        }
    }
    return released(__func__, a, 4, failed);
}

/* add_parents(own (C + 1, W), parents (C,), W): add to each row that of its parent, which comes before it or is the last. */
static PyObject *add_parents(PyObject *self, PyObject *const *given, Size count)
{
    Array a[2];
    Size wide = count == 3 ? PyLong_AsSsize_t(given[2]) : 0;
    if (wide <= 0 || arrays(__func__, given, 2, a, 1))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "add_parents: two arrays and a width");
    int failed = a[0].n < (a[1].n + 1) * wide;
    for (Size n = 0; n < a[1].n && !failed; n++) {
        int64_t parent = a[1].whole[n];
        if (parent < 0 || (parent >= n && parent != a[1].n)) {
            failed = 1;
            break;
        }
        for (Size k = 0; k < wide; k++)
            a[0].real[n * wide + k] += a[0].real[parent * wide + k];
    }
    return released(__func__, a, 2, failed);
}

/* ranged(container (N,), parents (C,), starts (C,), ends (C,), wider (C + 1,), low (L, N), high (L, N)): _ranges of features.py into
   the last two; `wider` is room to work in. */
static PyObject *ranged(PyObject *self, PyObject *const *given, Size count)
{
    enum { CONTAINER, PARENT, START, END, WIDER, LOW, HIGH };
    Array a[7];
    if (count != 7 || arrays(__func__, given, 7, a, 1 << WIDER | 1 << LOW | 1 << HIGH))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "ranged: seven arrays");
    Size items = a[CONTAINER].n, all = a[PARENT].n, levels = items ? a[LOW].n / items : 0;
    const int64_t *start = a[START].whole, *end = a[END].whole;
    int64_t *wider = a[WIDER].whole;
    int failed = a[START].n < all || a[END].n < all || a[WIDER].n <= all || a[HIGH].n < levels * items;
    for (Size n = 0; n < all && !failed; n++) {
        int64_t parent = a[PARENT].whole[n];
        if ((failed = parent < 0 || (parent >= n && parent != all)))
            break;
        int same = start[n] == (parent == all ? 0 : start[parent]) && end[n] == (parent == all ? items : end[parent]);
        wider[n] = same && parent < all ? wider[parent] : parent;
    }
    if (!failed)
        wider[all] = all;
    for (Size n = 0; n < items && !failed; n++) {
        int64_t at = a[CONTAINER].whole[n];
        if ((failed = at < 0 || at > all))
            break;
        for (Size level = 0; level < levels; level++, at = wider[at]) {
            int64_t first = at == all ? 0 : start[at], last = at == all ? items : end[at];
            a[LOW].whole[level * items + n] = first < n ? first : n;
            last = last > n ? last : n + 1;
            a[HIGH].whole[level * items + n] = last < items ? last : items;
        }
    }
    return released(__func__, a, 7, failed);
}

/* The nearest multiple of 1 / GRID, halves to even, of what is below 2^43; and no -0. */
static inline double gridded(double value)
{
    const double shift = 6755399441055744.0; /* 1.5 * 2^52: there doubles are whole numbers */
    return (value * 256.0 + shift - shift) * 0.00390625;
}

/* activate(values (N, W), biases (W,)): _active of model.py, in place. */
static PyObject *activate(PyObject *self, PyObject *const *given, Size count)
{
    Array a[2];
    if (count != 2 || arrays(__func__, given, 2, a, 1))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "activate: two arrays");
    Size wide = a[1].n;
    for (double *at = a[0].real; wide && at + wide <= a[0].real + a[0].n; at += wide)
        for (Size k = 0; k < wide; k++) {
            double value = at[k] + a[1].real[k];
            at[k] = gridded((value + fabs(value)) * 0.5); /* the value or 0, without a branch */
        }
    return released(__func__, a, 2, !wide || a[0].n % wide);
}

/* set_normal(values (N, W), mean (W,), scale (W,), out (N, S), bound): out[n, :W] = _normal of model.py. */
static PyObject *set_normal(PyObject *self, PyObject *const *given, Size count)
{
    enum { VALUES, MEAN, SCALE, OUT };
    Array a[4];
    double bound = count == 5 ? PyFloat_AsDouble(given[4]) : 0;
    if (!(bound > 0) || arrays(__func__, given, 4, a, 1 << OUT))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "set_normal: four arrays and a bound");
    Size wide = a[MEAN].n, items = wide ? a[VALUES].n / wide : 0, stride = items ? a[OUT].n / items : 0;
    int failed = a[SCALE].n < wide || (items && stride < wide);
    for (Size n = 0; n < items && !failed; n++) {
        const double *from = a[VALUES].real + n * wide;
        double *out = a[OUT].real + n * stride;
        for (Size k = 0; k < wide; k++)
            out[k] = (from[k] - a[MEAN].real[k]) * a[SCALE].real[k];
        for (Size k = 0; k < wide; k++)
            out[k] = gridded(out[k] < -bound ? -bound : out[k] > bound ? bound : out[k]);
    }
    return released(__func__, a, 4, failed);
}

/* around(message (N, M), low (L, N), high (L, N), alike (N,), running (N + 1, M), groups (G, M), sizes (G,),
   out (N, (6 + L) M), window): _around of model.py. `running`, `groups` and `sizes` are zeros to work with. */
static PyObject *around(PyObject *self, PyObject *const *given, Size count)
{
    enum { MESSAGE, LOW, HIGH, ALIKE, RUNNING, GROUPS, SIZES, OUT };
    static const int steps[] = {-1, 1, -2, 2};
    Array a[8];
    Size window = count == 9 ? PyLong_AsSsize_t(given[8]) : -1;
    if (window < 0 || arrays(__func__, given, 8, a, 1 << RUNNING | 1 << GROUPS | 1 << SIZES | 1 << OUT))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "around: eight arrays and a window");
    Size items = a[ALIKE].n, wide = items ? a[MESSAGE].n / items : 0, levels = items ? a[LOW].n / items : 0;
    Size stride = (6 + levels) * wide;
    const double *message = a[MESSAGE].real;
    double *running = a[RUNNING].real, *groups = a[GROUPS].real;
    int failed = a[HIGH].n < levels * items || a[RUNNING].n < (items + 1) * wide || a[GROUPS].n < a[SIZES].n * wide ||
                 a[OUT].n < items * stride;
    for (Size n = 0; n < items && !failed; n++) {
        int64_t group = a[ALIKE].whole[n];
        if (group < 0 || group >= a[SIZES].n) {
            failed = 1;
            break;
        }
        a[SIZES].real[group] += 1;
        for (Size k = 0; k < wide; k++) {
            running[(n + 1) * wide + k] = running[n * wide + k] + message[n * wide + k];
            groups[group * wide + k] += message[n * wide + k];
        }
    }
    for (Size n = 0; n < items && !failed; n++) {
        double *out = a[OUT].real + n * stride;
        for (int slot = 0; slot < 4; slot++, out += wide) {
            Size other = n + steps[slot];
            for (Size k = 0; k < wide; k++)
                out[k] = other >= 0 && other < items ? message[other * wide + k] : 0;
        }
        for (Size level = -1; level < levels; level++, out += wide) {
            Size low = level < 0 ? (n > window ? n - window : 0) : a[LOW].whole[level * items + n];
            Size high = level < 0 ? (n + window + 1 < items ? n + window + 1 : items) : a[HIGH].whole[level * items + n];
            if (low < 0 || high <= low || high > items) {
                failed = 1;
                break;
            }
            double size = (double)(high - low);
            for (Size k = 0; k < wide; k++)
                out[k] = gridded((running[high * wide + k] - running[low * wide + k]) / size);
        }
        int64_t group = a[ALIKE].whole[n];
        for (Size k = 0; k < wide && !failed; k++)
            out[k] = gridded(groups[group * wide + k] / a[SIZES].real[group]);
    }
    return released(__func__, a, 8, failed);
}

/* The number of a key among those that were asked for before, in the order in which they came; `slots` is a power of two. */
static int64_t numbered(uint64_t *keys, int64_t *numbers, uint64_t slots, int64_t *known, uint64_t key)
{
    uint64_t slot = (key * 0x9e3779b97f4a7c15u) >> 40 & (slots - 1); /* high bits, in which all of the key count */
    while (numbers[slot] >= 0 && keys[slot] != key)
        slot = (slot + 1) & (slots - 1);
    if (numbers[slot] < 0) {
        keys[slot] = key;
        numbers[slot] = (*known)++;
    }
    return numbers[slot];
}

/* structured(tags, parents, kinds, numbers, structures): repeated and _tags of features.py into the last three, which have
   C, C and C + 1 places. Gives the names of the different tags, as they come, and where those of each end: int64 as bytes. */
static PyObject *structured(PyObject *self, PyObject *const *given, Size count)
{
    enum { PARENT, KIND, NUMBER, STRUCTURE };
    if (count != 5 || !PyList_CheckExact(given[0]))
        return PyErr_Format(PyExc_TypeError, "structured: a list and four arrays");
    Array a[4];
    if (arrays(__func__, given + 1, 4, a, 1 << KIND | 1 << NUMBER | 1 << STRUCTURE))
        return NULL;
    Size n = PyList_GET_SIZE(given[0]);
    uint64_t slots = 64;
    while (slots < 2 * (uint64_t)n)
        slots *= 2;
    uint64_t *keys = PyMem_Malloc(2 * slots * sizeof *keys);
    int64_t *numbers = PyMem_Malloc(2 * slots * sizeof *numbers), tags = 0, structures = 0;
    Column names = {0}, ends = {0};
    if (!keys || !numbers)
        PyErr_NoMemory();
    int failed = !keys || !numbers || a[PARENT].n < n || a[KIND].n < n || a[NUMBER].n < n || a[STRUCTURE].n <= n;
    if (keys && numbers)
        memset(numbers, 0xff, 2 * slots * sizeof *numbers);
    for (Size i = 0; i < n && !failed; i++) {
        PyObject *tag = PyList_GET_ITEM(given[0], i);
        int64_t parent = a[PARENT].whole[i], before = tags;
        if (!PyTuple_Check(tag) || PyTuple_GET_SIZE(tag) != 4 || !PyTuple_Check(PyTuple_GET_ITEM(tag, 2)) || parent >= i ||
            parent < -1) {
            failed = 1;
            break;
        }
        int64_t number = PyLong_AsLongLong(PyTuple_GET_ITEM(tag, 3));
        a[KIND].whole[i] = PyLong_AsLongLong(PyTuple_GET_ITEM(tag, 1));
        if ((failed = PyErr_Occurred() != NULL))
            break;
        a[NUMBER].whole[i] = numbered(keys, numbers, slots, &tags, (uint64_t)number);
        uint64_t above = parent < 0 ? 0 : (uint64_t)a[STRUCTURE].whole[parent] + 1;
        a[STRUCTURE].whole[i] = numbered(keys + slots, numbers + slots, slots, &structures,
                                         above << 32 | (uint64_t)a[NUMBER].whole[i]);
        failed = tags > before && (add_all(&names, PyTuple_GET_ITEM(tag, 2)) || push(&ends, names.n));
    }
    if (!failed)
        a[STRUCTURE].whole[n] = structures;
    PyMem_Free(keys);
    PyMem_Free(numbers);
    PyObject *done = released(__func__, a, 4, failed);
    if (done)
        Py_SETREF(done, Py_BuildValue("y#y#", names.at ? (char *)names.at : "", names.n * (Size)sizeof *names.at,
                                      ends.at ? (char *)ends.at : "", ends.n * (Size)sizeof *ends.at));
    PyMem_Free(names.at);
    PyMem_Free(ends.at);
    return done;
}

/* repeats(texts, images, out): _repeats of features.py. */
static PyObject *repeats(PyObject *self, PyObject *const *given, Size count)
{
    Array a[1];
    if (count != 3 || !PyList_CheckExact(given[0]) || !PyDict_CheckExact(given[1]))
        return PyErr_Format(PyExc_TypeError, "repeats: a list, a dict and an array");
    if (arrays(__func__, given + 2, 1, a, 1))
        return NULL;
    PyObject *first = PyDict_New(); /* of each text, the item where it stands first */
    Size items = PyList_GET_SIZE(given[0]);
    int64_t *of = PyMem_Malloc((items + 1) * sizeof *of);
    int failed = !first || !of || a->n < items;
    if (!of)
        PyErr_NoMemory();
    for (Size n = 0; n < items && !failed; n++) {
        PyObject *text = PyList_GET_ITEM(given[0], n), *number = PyLong_FromSsize_t(n), *image = NULL, *found;
        if (number && PyUnicode_Check(text) && !PyUnicode_GET_LENGTH(text)) {
            image = PyDict_GetItemWithError(given[1], number);
            text = image && PyTuple_Check(image) && PyTuple_GET_SIZE(image) ? PyTuple_GET_ITEM(image, 0) : NULL;
        }
        found = number && text ? PyDict_SetDefault(first, text, number) : NULL;
        failed = !found || (of[n] = PyLong_AsLongLong(found)) < 0;
        Py_XDECREF(number);
        a->real[n] = 0;
        if (!failed)
            a->real[of[n]] += 1;
    }
    for (Size n = 0; n < items && !failed; n++)
        a->real[n] = a->real[of[n]];
    Py_XDECREF(first);
    PyMem_Free(of);
    return released(__func__, a, 1, failed);
}

/* The numbers of an item as the model takes them, as they come. */
static double *put_log(double *out, double value)
{
    *out = gridded(log2(1.0 + value) / 4);
    return out + 1;
}

static double *put(double *out, double value)
{
    *out = gridded(value);
    return out + 1;
}

static double most(double a, double b) { return a > b ? a : b; }

/* featured(measured (9, N), linked, kinds, figures, depths, alike, repeats, titled (N,), low (L, N), high (L, N),
   pictures (P, N), sums (8, N + 1), prose (N,), out (N, D), image, h1, h6, long): _dense of features.py, into the last three
   arrays. log2 may differ from numpy's in its last bit; rounding to the grid takes that away. */
static PyObject *featured(PyObject *self, PyObject *const *given, Size count)
{
    enum { MEASURED, LINKED, KIND, FIGURE, DEPTH, ALIKE, REPEATS, TITLED, LOW, HIGH, PICTURE, SUMS, PROSE, OUT, ARRAYS };
    enum { CHARS, LINKS, WORDS, IMAGES, TEXTS, HEADINGS, DIGITS, LONG, COUNTED }; /* rows of `sums` */
    enum { ROWS = 9, OWN = 25, EACH = 10, LANDMARKS = 12 };
    Array a[ARRAYS];
    int64_t said[4]; /* kinds of images and of the first and the last headings; words above which a text is long */
    if (count != ARRAYS + 4)
        return PyErr_Format(PyExc_TypeError, "featured: fourteen arrays and four numbers");
    for (int k = 0; k < 4; k++)
        if ((said[k] = PyLong_AsLongLong(given[ARRAYS + k])) < 0)
            return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "featured: a number below 0");
    if (arrays(__func__, given, ARRAYS, a, 1 << SUMS | 1 << PROSE | 1 << OUT))
        return NULL;
    Size items = a[KIND].n, levels = items ? a[LOW].n / items : 0, pictures = items ? a[PICTURE].n / items : 0, groups = 0;
    const double *chars = a[MEASURED].real, *words = chars + items, *sums[COUNTED];
    const int64_t *kinds = a[KIND].whole, *alike = a[ALIKE].whole;
    int failed = levels < 4 || a[MEASURED].n < ROWS * items || a[SUMS].n < COUNTED * (items + 1) || a[HIGH].n < levels * items ||
                 a[OUT].n != items * (OWN + EACH * levels + LANDMARKS + pictures);
    for (int k = LINKED; k <= PROSE; k++)
        failed |= k != SUMS && a[k].n < items;
    for (Size n = 0; n < items && !failed; n++) {
        failed = alike[n] < 0 || alike[n] > INT32_MAX;
        groups = alike[n] >= groups ? alike[n] + 1 : groups;
        for (Size level = 0; level < levels; level++) {
            int64_t low = a[LOW].whole[level * items + n], high = a[HIGH].whole[level * items + n];
            failed |= low < 0 || low > n || high <= n || high > items;
        }
    }
    enum { SIZE, ITS_CHARS, ITS_LINKS, ITS_WORDS, ITS_IMAGES, SUMMED }; /* of what is built alike */
    uint64_t slots = 64;
    while (slots < 2 * (uint64_t)items)
        slots *= 2;
    double *group = failed ? NULL : PyMem_Calloc(groups * SUMMED + 1, sizeof *group);
    double *ranges = failed ? NULL : PyMem_Malloc((items + 1) * sizeof *ranges);
    uint64_t *keys = failed ? NULL : PyMem_Malloc(slots * sizeof *keys);
    int64_t *numbers = failed ? NULL : PyMem_Malloc(slots * sizeof *numbers);
    if (!failed && (failed = !group || !ranges || !keys || !numbers))
        PyErr_NoMemory();
    for (int k = 0; k < COUNTED && !failed; k++)
        sums[k] = a[SUMS].real + k * (items + 1);
    Size headline = -1;
    int named = 0;
    for (Size n = 0; n < items && !failed; n++) {
        double linked = (double)a[LINKED].whole[n], safe = most(chars[n], 1);
        int image = kinds[n] == said[0], heading = kinds[n] >= said[1] && kinds[n] <= said[2], is_long = words[n] > (double)said[3];
        linked = linked < chars[n] ? linked : chars[n];
        const double counts[] = {chars[n], linked, words[n], image, !image, heading, chars[5 * items + n], is_long};
        for (int k = 0; k < COUNTED; k++) {
            double *sum = a[SUMS].real + k * (items + 1) + n;
            if (!n)
                *sum = 0;
            sum[1] = sum[0] + counts[k];
        }
        double *its = group + alike[n] * SUMMED;
        its[SIZE] += 1;
        its[ITS_CHARS] += chars[n];
        its[ITS_LINKS] += linked;
        its[ITS_WORDS] += words[n];
        its[ITS_IMAGES] += image;
        a[PROSE].real[n] = chars[n] * is_long * (1 - linked / safe);
        int names = heading && a[TITLED].real[n];
        if (!named && (names || (headline < 0 && kinds[n] == said[1])))
            headline = n;
        named |= names;
    }
    double size = failed ? 1 : most(1, sums[CHARS][items]);
#define BEFORE(n) (sums[CHARS][n] / size)
    Size start[2] = {0}, end[2] = {0}; /* of the containers with most prose */
    for (int level = 0; level < 2 && !failed; level++) {
        const int64_t *low = a[LOW].whole + (level + 1) * items, *high = a[HIGH].whole + (level + 1) * items;
        int64_t known = 0;
        memset(numbers, 0xff, slots * sizeof *numbers);
        for (Size n = 0; n < items; n++) {
            int64_t before = known, number = numbered(keys, numbers, slots, &known, (uint64_t)(low[n] * (items + 1) + high[n]));
            ranges[number] = (known > before ? 0 : ranges[number]) + a[PROSE].real[n];
        }
        double best = -1;
        for (uint64_t slot = 0; slot < slots; slot++) {
            if (numbers[slot] < 0)
                continue;
            double prose = ranges[numbers[slot]];
            Size first = (Size)keys[slot] / (items + 1), last = (Size)keys[slot] % (items + 1);
            if (prose < best || (prose == best && (first > start[level] || (first == start[level] && last > end[level]))))
                continue;
            best = prose;
            start[level] = first;
            end[level] = last;
        }
    }
    double *out = a[OUT].real;
    for (Size n = 0, last = -1; n < items && !failed; n++) {
        double linked = sums[LINKS][n + 1] - sums[LINKS][n], safe = most(chars[n], 1);
        const double *its = group + alike[n] * SUMMED, *own = chars + n;
        const int64_t *low = a[LOW].whole + n, *high = a[HIGH].whole + n;
        last = kinds[n] >= said[1] && kinds[n] <= said[2] ? n : last;
#define INSIDE(k) (sums[k][high[level * items]] - sums[k][low[level * items]])
#define LEVELS(what)                                                                                                   \
    for (Size level = 0; level < levels; level++)                                                                      \
        what
        out = put_log(out, chars[n]);
        out = put_log(out, words[n]);
        out = put_log(out, own[2 * items]);
        out = put_log(out, a[REPEATS].real[n]);
        out = put_log(out, (double)(n - last)); /* one more than items before it where there is no heading */
        out = put_log(out, its[SIZE]);
        out = put_log(out, its[ITS_IMAGES]);
        out = put_log(out, its[ITS_WORDS] / its[SIZE]);
        LEVELS(out = put_log(out, INSIDE(CHARS)));
        LEVELS(out = put_log(out, INSIDE(TEXTS)));
        LEVELS(out = put_log(out, INSIDE(WORDS) / most(INSIDE(TEXTS), 1)));
        LEVELS(out = put_log(out, INSIDE(IMAGES)));
        LEVELS(out = put_log(out, INSIDE(HEADINGS)));
        LEVELS(out = put_log(out, INSIDE(LONG)));
        out = put(out, linked / safe);
        out = put(out, linked >= chars[n] && chars[n] > 0);
        out = put(out, own[3 * items] / safe * 20);
        out = put(out, own[7 * items]);
        out = put(out, own[8 * items]);
        out = put(out, own[5 * items] / safe);
        out = put(out, own[4 * items] / safe);
        out = put(out, chars[n] / most(words[n], 1) / 8);
        out = put(out, 0); /* unlearned */
        out = put(out, (double)n / (double)items);
        out = put(out, BEFORE(n));
        out = put(out, (double)a[DEPTH].whole[n] / 16);
        out = put(out, a[TITLED].real[n]);
        out = put(out, (double)(last >= 0 ? said[1] + 7 - kinds[last] : 0) / 6);
        out = put(out, a[FIGURE].whole[n] > 0);
        out = put(out, its[ITS_CHARS] / size);
        out = put(out, its[ITS_LINKS] / most(its[ITS_CHARS], 1));
        LEVELS(out = put(out, INSIDE(LINKS) / most(INSIDE(CHARS), 1)));
        LEVELS(out = put(out, INSIDE(CHARS) / size));
        LEVELS(out = put(out, (double)(n - low[level * items]) / most((double)(high[level * items] - low[level * items]), 1)));
        LEVELS(out = put(out, INSIDE(DIGITS) / most(INSIDE(CHARS), 1)));
        for (int level = 0; level < 2; level++) {
            out = put(out, n >= start[level] && n < end[level]);
            out = put(out, most(0, BEFORE(start[level]) - BEFORE(n + 1)));
            out = put(out, most(0, BEFORE(n) - BEFORE(end[level])));
        }
        Size away = n - headline;
        out = put(out, away >= 0 && headline >= 0);
        out = put(out, headline < 0 ? 0 : log2(1.0 + (double)(away < 0 ? -away : away)) / 4);
        out = put(out, BEFORE(n) - BEFORE(headline < 0 ? 0 : headline));
        out = put(out, low[2 * items] <= headline && headline < high[2 * items]);
        out = put(out, low[3 * items] <= headline && headline < high[3 * items]);
        out = put(out, away == 0);
        for (Size k = 0; k < pictures; k++)
            out = put(out, a[PICTURE].real[k * items + n]);
    }
#undef BEFORE
#undef INSIDE
#undef LEVELS
    PyMem_Free(group);
    PyMem_Free(ranges);
    PyMem_Free(keys);
    PyMem_Free(numbers);
    return released(__func__, a, ARRAYS, failed);
}

/* An attribute's value in a tag: where it begins, and where it ends; -1 for none. */
static Size value_of(PyObject *tag, const char *name, Size from, Size *end)
{
    Size n = PyUnicode_GET_LENGTH(tag), wide = (Size)strlen(name);
    for (Size i = from; (i = next(tag, ' ', i, n)) < n; i++)
        if (stands(tag, i, n, name, wide) && (*end = next(tag, '"', i + wide, n)) < n)
            return i + wide;
    return -1;
}

/* The last whole number of up to five digits that an attribute begins with: _SIZE of features.py; -1 for none. */
static Size size_of(PyObject *tag, const char *name)
{
    Size n = PyUnicode_GET_LENGTH(tag), wide = (Size)strlen(name), found = -1;
    for (Size i = 0; (i = next(tag, ' ', i, n)) < n; i++) {
        if (!stands(tag, i, n, name, wide))
            continue;
        Size at = i + wide, number = 0, digits = 0;
        while (at < n && Py_UNICODE_ISSPACE(PyUnicode_READ_CHAR(tag, at)))
            at++;
        for (; at < n && digits < 5 && Py_UNICODE_ISDECIMAL(PyUnicode_READ_CHAR(tag, at)); at++, digits++)
            number = 10 * number + Py_UNICODE_TODECIMAL(PyUnicode_READ_CHAR(tag, at));
        if (!digits)
            continue;
        found = number;
        i = at - 1;
    }
    return found;
}

static int holds_one(PyObject *text, Size from, Size to, const char *const *words, int folded)
{
    for (Size i = from; (i = next(text, '.', i, to)) < to; i++)
        for (const char *const *word = words; *word; word++) {
            Size same = 1;
            while ((*word)[same] && i + same < to) {
                Py_UCS4 c = PyUnicode_READ_CHAR(text, i + same);
                if ((folded && c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (Py_UCS1)(*word)[same])
                    break;
                same++;
            }
            if (!(*word)[same])
                return 1;
        }
    return 0;
}

/* The first value of an attribute data-… that holds a picture's name: as value_of. */
static Size lazy_value(PyObject *tag, Size *end)
{
    static const char *const names[] = {".jpg", ".jpeg", ".png", ".webp", ".gif", NULL};
    Size n = PyUnicode_GET_LENGTH(tag);
    for (Size i = 0; (i = next(tag, ' ', i, n)) < n; i++) {
        Size at = i + 6;
        if (!stands(tag, i, n, " data-", 6))
            continue;
        while (at < n && (is_lower(PyUnicode_READ_CHAR(tag, at)) || PyUnicode_READ_CHAR(tag, at) == '-'))
            at++;
        if (at == i + 6 || !stands(tag, at, n, "=\"", 2) || (*end = next(tag, '"', at + 2, n)) == n)
            continue;
        if (holds_one(tag, at + 2, *end, names, 0))
            return at + 2;
        i = *end;
    }
    return -1;
}

/* pictured(images, out (12, N)): _pictures of features.py, but for whether links lead to pictures. */
static PyObject *pictured(PyObject *self, PyObject *const *given, Size count)
{
    static const char *const drawn[] = {".svg", ".gif", NULL}, *const photographs[] = {".jp", ".webp", NULL};
    enum { ROWS = 12 };
    Array a[1];
    if (count != 2 || !PyDict_CheckExact(given[0]))
        return PyErr_Format(PyExc_TypeError, "pictured: a dict and an array");
    if (arrays(__func__, given + 1, 1, a, 1))
        return NULL;
    Size items = a->n / ROWS, place = 0;
    PyObject *key, *image;
    int failed = 0;
    while (!failed && PyDict_Next(given[0], &place, &key, &image)) {
        Size at = PyLong_AsSsize_t(key), end = 0, alt_end = 0;
        if ((failed = at < 0 || at >= items || !PyTuple_Check(image) || PyTuple_GET_SIZE(image) != 4))
            break;
        PyObject *tag = PyTuple_GET_ITEM(image, 0), *link = PyTuple_GET_ITEM(image, 2);
        if ((failed = !PyUnicode_Check(tag) || !PyUnicode_Check(link) || !PyList_Check(PyTuple_GET_ITEM(image, 1))))
            break;
        Size width = size_of(tag, " width=\""), height = size_of(tag, " height=\""), alt = value_of(tag, " alt=\"", 0, &alt_end);
        Size source = value_of(tag, " src=\"", 0, &end), n = PyUnicode_GET_LENGTH(tag);
        int hidden = source < 0 || source == end || stands(tag, source, end, "data:", 5);
        if (hidden && (source = lazy_value(tag, &end)) < 0)
            source = end = 0;
        source = end - source > 200 ? end - 200 : source;
        int sources = PyList_GET_SIZE(PyTuple_GET_ITEM(image, 1)) > 0;
        for (Size i = 0; !sources && (i = next(tag, 's', i, n)) < n; i++)
            sources = stands(tag, i, n, "srcset=", 7);
        const double row[ROWS] = {
            log2(1.0 + (double)(width < 0 ? 0 : width < 4096 ? width : 4096)) / 8,
            log2(1.0 + (double)(height < 0 ? 0 : height < 4096 ? height : 4096)) / 8,
            alt < 0 ? 0 : log2(1.0 + (double)(alt_end - alt)) / 8,
            width >= 0, alt >= 0, PyUnicode_GET_LENGTH(link) > 0, 0, PyTuple_GET_ITEM(image, 3) == Py_True,
            holds_one(tag, source, end, drawn, 1), holds_one(tag, source, end, photographs, 1), sources, hidden,
        };
        for (int k = 0; k < ROWS; k++)
            a->real[k * items + at] = row[k];
    }
    return released(__func__, a, 1, failed);
}

/* looked_up(words, vocabulary, out): numbers of words, -1 for those that are unknown. */
static PyObject *looked_up(PyObject *self, PyObject *const *given, Size count)
{
    Array a[1];
    if (count != 3 || !PyList_CheckExact(given[0]) || !PyDict_CheckExact(given[1]))
        return PyErr_Format(PyExc_TypeError, "looked_up: a list, a dict and an array");
    if (arrays(__func__, given + 2, 1, a, 1))
        return NULL;
    int failed = a->n < PyList_GET_SIZE(given[0]);
    for (Size i = 0; !failed && i < PyList_GET_SIZE(given[0]); i++) {
        PyObject *found = PyDict_GetItemWithError(given[1], PyList_GET_ITEM(given[0], i));
        a->whole[i] = found ? PyLong_AsLongLong(found) : -1;
        failed = PyErr_Occurred() != NULL;
    }
    return released(__func__, a, 1, failed);
}

/* measured(texts, classes, ends, rows (9, N)): measured() of features.py. */
static PyObject *measured(PyObject *self, PyObject *const *given, Size count)
{
    if (count != 4 || !PyList_CheckExact(given[0]) || !PyUnicode_Check(given[2]))
        return PyErr_Format(PyExc_TypeError, "measured: a list, an array, a str and an array");
    Array a[2];
    if (arrays(__func__, given + 1, 1, a, 0))
        return NULL;
    if (arrays(__func__, given + 3, 1, a + 1, 1)) {
        released(__func__, a, 1, 0);
        return NULL;
    }
    Size items = PyList_GET_SIZE(given[0]), most = a[0].view.len - 1;
    const uint8_t *classes = a[0].view.buf;
    int failed = most < 0 || a[1].n < 9 * items;
    for (Size n = 0; n < items && !failed; n++) {
        PyObject *text = PyList_GET_ITEM(given[0], n);
        if ((failed = !PyUnicode_Check(text)))
            break;
        Size length = PyUnicode_GET_LENGTH(text), found[4] = {0}, spaces = 0, dots = 0, commas = 0;
        int kind = PyUnicode_KIND(text);
        const void *at = PyUnicode_DATA(text);
        for (Size i = 0; i < length; i++) {
            Py_UCS4 c = PyUnicode_READ(kind, at, i);
            spaces += c == ' ';
            dots += c == '.';
            commas += c == ',';
            found[classes[c < (Py_UCS4)most ? c : (Py_UCS4)most] & 3]++;
        }
        Py_UCS4 last = length ? PyUnicode_READ(kind, at, length - 1) : 0;
        int ends = 0;
        for (Size i = 0; length && i < PyUnicode_GET_LENGTH(given[2]); i++)
            ends |= PyUnicode_READ_CHAR(given[2], i) == last;
        const Size row[] = {length, spaces + (length > 0), dots, commas, found[1], found[2], found[3], ends,
                            length && Py_UNICODE_ISUPPER(PyUnicode_READ(kind, at, 0))};
        for (int k = 0; k < 9; k++)
            a[1].real[k * items + n] = (double)row[k];
    }
    return released(__func__, a, 2, failed);
}

#define FAST(function) (PyCFunction)(void (*)(void))function, METH_FASTCALL
static PyMethodDef FUNCTIONS[] = {
    {"walk", walk, METH_VARARGS, "The pass over a page's tags."},
    {"counted", FAST(counted), "What is counted before a page is parsed."},
    {"holds", FAST(holds), "Whether a page holds one of some words."},
    {"find", FAST(found), "Where a word stands in a page."},
    {"pictured", FAST(pictured), "The numbers of each image."},
    {"cut", FAST(cut), "A page without what holds no text."},
    {"structured", FAST(structured), "Which tags and structures containers have."},
    {"looked_up", FAST(looked_up), "Numbers of words."},
    {"measured", FAST(measured), "Characters of each text, by kind."},
    {"add_rows", FAST(add_rows), "Sums of rows of a table."},
    {"add_parents", FAST(add_parents), "Sums over the containers around each."},
    {"ranged", FAST(ranged), "The items of the containers around each item."},
    {"repeats", FAST(repeats), "How often each text stands on the page."},
    {"featured", FAST(featured), "The numbers of each item."},
    {"set_normal", FAST(set_normal), "Features as the network takes them."},
    {"activate", FAST(activate), "What a layer says, on its grid."},
    {"around", FAST(around), "What each item reads of those around it."},
    {0}};
static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_compiled", "The hot loops of extraction.", -1, FUNCTIONS};

PyMODINIT_FUNC PyInit__compiled(void)
{
    PyObject *module = PyModule_Create(&MODULE);
    if (module && PyModule_AddIntConstant(module, "VERSION", VERSION))
        Py_CLEAR(module);
    return module;
}
