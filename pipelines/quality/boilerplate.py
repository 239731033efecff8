"""What a page is where it has nothing to say: a login page, an error page, placeholder text."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

LOGIN = "login page"
ERROR = "error page"
PLACEHOLDER = "placeholder text"

MAX_LETTERS = 900
"""Letters and digits; a login or error page has fewer."""
MIN_SHARE = 0.7
"""Of a login or error page's letters, those in phrases that such pages consist of."""
MIN_ACT = 20
"""Letters of ``please log in to continue`` and the like, where nothing else is asked for."""
MAX_PHRASE = 160
"""Characters; a longer sentence is none of those phrases."""
MAX_CHARACTERS = 200_000
"""Placeholder text is looked for in so much of a text, from its start."""
MIN_LATIN = 0.5
"""Of its words, those of the placeholder that printers use."""

_LINK = re.compile(r"\]\([^()\n]*\)")
_TAG = re.compile(r"<[^<>\n]{0,500}>")
_SEGMENT = re.compile(r"[^\n|•·。]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
# Only for short segments: it backtracks.
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_LETTER = re.compile(r"[^\W_]")
_WORD = re.compile(r"[^\W\d_]+")

_LOGIN_ACTS = (
    r"(?:please )?(?:log|sign)(?:[- ]?(?:in|on)| back in)"
    r"(?: to .{1,50})?(?: (?:with|using|via) .{1,30})?",
    r"(?:please )?(?:login|signin|logon)(?: (?:to|with|using|via) .{1,50})?",
    r"(?:please )?(?:log|sign) in (?:first|again)",
    r"you (?:must|need to|have to) (?:be )?(?:log|sign|authenticate)(?:ged|ed|d)?(?: in)?\b.{0,60}",
    r"you are not (?:logged|signed) in",
    r"(?:your )?session (?:has )?(?:expired|timed out).{0,40}",
    r"authentication (?:is )?required.{0,40}",
    r"(?:bitte )?(?:anmelden|einloggen|anmeldung|melden sie sich an.{0,40})",  # codespell:ignore
    r"connexion|se connecter|connectez-vous.{0,40}|identifiez-vous.{0,40}",  # codespell:ignore
    r"iniciar sesión|inicie sesión.{0,40}|inicia sesión.{0,40}|acceder|acceso",
    r"accedi|iniciar sessão|entrar|登录|登入|請登入|请登录|ログイン|サインイン",
)
_LOGIN_FIELDS = (
    r"(?:(?:enter )?(?:your )?)(?:user ?name|user id|e-?mail(?: address)?|phone(?: number)?)"
    r"(?: (?:or|and|/) (?:e-?mail(?: address)?|user ?name|phone(?: number)?|password))?",
    r"(?:(?:enter )?(?:your )?)(?:password|passcode|one-time code)(?: show)?",
    r"(?:forgot(?:ten)?|lost|reset)(?: your| my| the)? ?(?:user ?name|password|e-?mail)?"
    r"(?: or (?:user ?name|password))?",
    r"remember me.{0,30}|(?:keep me|stay) (?:signed|logged) in",
    r"(?:(?:don't|do not) have an account|need an account|no account|new here|new user).{0,50}",
    r"create (?:an |a new |your )?account|sign up.{0,20}|register(?: now| here)?",
    r"benutzername|passwort|kennwort|(?:passwort|kennwort) vergessen|angemeldet bleiben",
    r"konto erstellen|registrieren|noch kein konto.{0,30}",
    r"identifiant|nom d'utilisateur|adresse e-?mail|mot de passe|mot de passe oublié",  # codespell:ignore
    r"se souvenir de moi|rester connecté|créer un compte|s'inscrire",
    r"(?:nombre de )?usuario|correo electrónico|contraseña|recordarme|recuérdame",
    r"¿?(?:ha |has )?olvid(?:ó|aste|ado) (?:su|tu|la) contraseña|crear (?:una )?cuenta|registrarse",
    r"nome utente|password dimenticata|senha|esqueceu a senha|usuário",  # codespell:ignore
    r"用户名|密码|忘记密码|记住我|注册|验证码|手机号|邮箱|使用者名稱|密碼",
    r"ユーザー名|パスワード|パスワードをお?忘れ.{0,20}|新規登録|メールアドレス",
)
_NAMED = (
    r"not found|(?:page|file) not found|bad request|unauthori[sz]ed|forbidden|gone"
    r"|too many requests|internal server error|bad gateway|gateway time-?out"
    r"|service (?:temporarily )?unavailable|access (?:is )?denied|permission denied"
)
_MISSING = (
    r"(?:not (?:be )?found|(?:does not|doesn't|no longer) exists?|do not exist"
    r"|is(?: not|n't| no longer) available|isn't here|has (?:been )?(?:moved|removed|deleted)"
    r"|unavailable|can't be (?:found|reached)|cannot be (?:found|reached|displayed))"
)
_ERRORS = (
    rf"(?:http )?(?:error )?(?:code )?(?:40[0134]|410|429|50[0234])\W{{1,3}}(?:{_NAMED}|error)",
    r"404|(?:http )?error(?: code)?:? [45][0-9]{2}",
    rf"(?:error\W{{1,3}})?(?:{_NAMED})",
    r"(?:\w{2,10},? (?:but )?)?(?:the|this|that) (?:requested )?(?:page|url|link|file|document"
    rf"|resource|site|content)\b.{{0,80}}\b{_MISSING}.{{0,60}}",
    r"(?:\w{2,10},? )?(?:but )?(?:it looks like )?(?:we|i) (?:can't|cannot|couldn't|could not)"
    r"(?: seem to)? find (?:the|that|this) (?:page|url).{0,50}",
    r"you (?:don't|do not) have (?:permission|access|authori[sz]ation).{0,60}",
    r"something went wrong.{0,40}|an (?:unexpected |unknown )?error (?:has )?occurred.{0,60}",
    r"the server encountered an? .{0,20}error.{0,80}|err_[a-z_]+",
    r"(?:die )?seite (?:wurde )?nicht gefunden|fehler 40[34]|zugriff verweigert",
    r"(?:die|diese) .{0,40}seite\b.{0,60}\b(?:nicht gefunden|existiert nicht|nicht verfügbar).{0,40}",
    r"interner serverfehler|page (?:introuvable|non trouvée)|erreur 40[34]|accès (?:refusé|interdit)",
    r"(?:la|cette) page\b.{0,60}\b(?:n'existe (?:pas|plus)|introuvable|pas été trouvée).{0,40}",
    r"página no encontrada|no se encontró la página|acceso denegado|página não encontrada",
    r"(?:la|esta) página\b.{0,60}\b(?:no existe|no se (?:ha )?encontr(?:ó|ado)|no está disponible).{0,40}",
    r"pagina non trovata|页面(?:不存在|未找到|找不到了?).{0,10}|.{0,10}找不到.{0,10}(?:页面|網頁|网页)",
    r"您(?:要)?访问的页面不存在.{0,10}|.{0,20}ページ(?:が|は)(?:見つかりません|存在しません).{0,20}",
)
_NEUTRAL = (
    r"continue|next|submit|cancel|back|close|menu|home|search.{0,20}|or|show|oops|sorry|whoops|uh oh",
    r"help|need help|contact(?: us| support)?|support|about(?: us)?|english|language|security",
    r"privacy(?: policy| notice)?|terms(?: of (?:use|service))?|cookies?(?: policy)?|legal",
    r"skip to (?:main )?content|all rights reserved|(?:©|\(c\)|copyright).{0,60}|[0-9]{4}",
    r"sso|single sign-on|two-factor authentication",
    r"(?:please )?try (?:again|reloading|refreshing).{0,40}",
    r"(?:go |return |take me )?(?:back )?(?:to )?(?:the |our )?(?:home ?page|home|previous page).{0,20}",
    r"(?:it|the page|the link|you) (?:may|might|could) (?:have|be).{0,80}",
    r"(?:please )?(?:check|make sure).{0,30}\b(?:url|address|link|spelling)\b.{0,60}",
    r"(?:if|please contact|contact).{0,60}\b(?:problem|error|mistake|administrator|support)\b.{0,60}",
    r"(?:nginx|apache|openresty|cloudflare|varnish|iis)\b.{0,60}|(?:ray|request|error) id.{0,60}",
    r"startseite|zurück.{0,20}|datenschutz|impressum|accueil|retour.{0,20}|inicio|volver.{0,20}",
    r"返回首页|首页|返回|ホーム|トップページ.{0,10}|ホームに戻る",
)
_LATIN = frozenset(
    _WORD.findall(
        "lorem ipsum dolor dolore sit amet consectetur consectetuer adipiscing adipisicing adipisci"
        " elit sed eiusmod tempor incididunt ut labore et magna aliqua enim ad minim veniam quis"
        " nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat duis aute irure in"
        " reprehenderit voluptate velit esse cillum eu fugiat nulla pariatur excepteur sint occaecat"
        " cupidatat non proident sunt culpa qui officia deserunt mollit anim id est laborum vestibulum"
        " ante primis faucibus orci luctus ultrices posuere cubilia curae pellentesque morbi"
        " tristique senectus netus malesuada fames ac turpis egestas vivamus maecenas mauris donec"
        " praesent phasellus nunc vel mi at tellus libero tortor nec justo a eget felis integer"
        " vitae cras suspendisse potenti fusce aenean etiam curabitur quisque sagittis purus diam"
        " porttitor rhoncus urna condimentum mattis massa placerat aliquam erat volutpat lectus"
        " vulputate odio tincidunt viverra euismod pretium risus ornare arcu dui vehicula augue neque"
        " gravida hendrerit dignissim lobortis sem fringilla bibendum accumsan lacus laoreet leo dictum"
        " sapien blandit facilisis ligula nibh scelerisque sodales congue metus auctor convallis"
        " ultricies semper feugiat interdum finibus iaculis venenatis pulvinar molestie rutrum"
        " commodo efficitur imperdiet elementum mollis nullam proin sollicitudin tempus eleifend"
    )
)


@dataclass(frozen=True, slots=True)
class _Phrases:
    """How much of a page is in phrases of each kind, in letters."""

    total: int
    acts: int
    fields: int
    errors: int
    neutral: int


def boilerplate(text: str) -> str | None:
    """What a page is, where it is nothing else; None for every page that says something.

    A login or error page is short and consists of the phrases of such pages. A page that tells
    how to log in, or what a 404 is, has sentences of its own. English is known best; German,
    French, Spanish, Chinese and others by their commonest phrases.
    """
    if _is_placeholder(text[:MAX_CHARACTERS]):
        return PLACEHOLDER
    if _is_long(text):
        return None
    found = _phrases(text)
    least = MIN_SHARE * found.total
    if found.acts and found.fields and found.acts + found.fields + found.neutral >= least:
        return LOGIN
    if found.errors and found.errors + found.neutral >= least:
        return ERROR
    if found.acts and found.acts + found.errors + found.neutral >= least and found.acts > MIN_ACT:
        return LOGIN
    return None


def _is_placeholder(text: str) -> bool:
    folded = text.lower()
    if "lorem" not in folded or "ipsum" not in folded:
        return False
    words = _WORD.findall(folded)
    return sum(word in _LATIN for word in words) >= MIN_LATIN * len(words)


def _is_long(text: str) -> bool:
    """Whether it has more than ``MAX_LETTERS``; a page of white space is not long."""
    letters = 0
    for start in range(0, len(text), 4 * MAX_LETTERS):
        letters += len(_LETTER.findall(_TAG.sub(" ", text[start : start + 4 * MAX_LETTERS])))
        if letters > MAX_LETTERS:
            return True
    return False


def _phrases(text: str) -> _Phrases:
    counts = dict.fromkeys(("acts", "fields", "errors", "neutral"), 0)
    total = 0
    for segment in _segments(text):
        size = len(_LETTER.findall(segment))
        total += size
        kind = _kind(segment)
        if kind is not None:
            counts[kind] += size
    return _Phrases(total=total, **counts)


def _segments(text: str) -> Iterator[str]:
    """Lines, cells and sentences in lower case, with single spaces; links stand alone."""
    plain = _TAG.sub("\n", _LINK.sub("\n", text.replace("\u2019", "'"))).replace("[", "\n")
    for line in _SEGMENT.findall(plain):
        for sentence in _SENTENCE_END.split(line):
            yield " ".join(sentence.lower().split())


def _kind(segment: str) -> str | None:
    if len(segment) > MAX_PHRASE:
        return None
    segment = _EDGES.sub("", segment)
    return next((kind for kind, known in _known().items() if known.fullmatch(segment)), None)


@functools.cache
def _known() -> dict[str, re.Pattern[str]]:
    kinds = {
        "acts": _LOGIN_ACTS,
        "fields": _LOGIN_FIELDS,
        "errors": _ERRORS,
        "neutral": _NEUTRAL,
    }
    return {kind: re.compile("|".join(f"(?:{p})" for p in each)) for kind, each in kinds.items()}
