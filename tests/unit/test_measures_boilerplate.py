# ruff: noqa: RUF001 - letters of other languages

import pytest

from pipelines.quality.boilerplate import ERROR, LOGIN, PLACEHOLDER, boilerplate

LOREM = """\
# Title

Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore
et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut
aliquip ex ea commodo consequat.

- Vestibulum ante ipsum primis in faucibus
- Pellentesque morbi tristique senectus et netus
"""

LOGIN_PAGES = [
    "# Sign in\n\nUsername\n\nPassword\n\n[Forgot your password?](/reset)\n\nRemember me\n",
    "Acme Wiki\n\nPlease log in to continue\n\nEmail address\nPassword\nLog in\n\n© 2024 Acme Inc.",
    "Log in with SSO\n\nor\n\nEmail\n\nContinue\n\nDon’t have an account? Sign up\n\nPrivacy policy",
    "You must be logged in to view this page.",
    "Your session has expired. Please sign in again.\n\nSign in | Help",
    "<h1>Sign in</h1><label>User name</label><label>Password</label><button>Sign in</button>",
    "Anmelden\n\nBenutzername\n\nPasswort\n\nPasswort vergessen?\n",
    "Connexion\n\nAdresse e-mail\n\nMot de passe\n\nMot de passe oublié ?\n\nSe connecter",  # codespell:ignore
    "Iniciar sesión\n\nUsuario\n\nContraseña\n\n¿Olvidaste tu contraseña?",
    "登录\n\n用户名\n\n密码\n\n忘记密码？",
]

ERROR_PAGES = [
    "404",
    "# 404 Not Found\n\nnginx/1.18.0",
    "# Page not found\n\nSorry, the page you are looking for does not exist. It may have been moved."
    "\n\n[Go to the home page](/) | [Search](/search)",
    "Not Found\n\nThe requested URL /handbook/leave was not found on this server.",
    "403 Forbidden",
    "# Access denied\n\nYou don't have permission to view this page.",
    "502 Bad Gateway\n\ncloudflare",
    "Oops! Something went wrong.\n\nPlease try again later.",
    "503 - Service Unavailable",
    "Seite nicht gefunden\n\nDie angeforderte Seite konnte nicht gefunden werden.\n\nStartseite",
    "Erreur 404\n\nLa page que vous cherchez n'existe pas.\n\nAccueil",
    "Página no encontrada\n\nLa página que busca no existe.",
    "页面不存在\n\n返回首页",
    "お探しのページが見つかりません",
]

GOOD = [
    "",
    "# Leave",
    "# How to log in\n\n1. Go to the portal.\n2. Enter your username.\n3. Enter your password.\n"
    "4. Press Sign in.\n\nIf it says your account is locked, call the help desk.",
    "# Passwords\n\nSign in with your badge. Forgot your password? Ask IT, who answer within a day.",
    "# Broken links\n\nA reader who meets a 404 tells the owner of the page. Page not found means"
    " that it was moved without a redirect; the owner adds one.",
    "# Error 500\n\nRestart the worker with the command below and look at its log for the cause.",
    "# Access denied\n\nAsk your manager for the role `reader`, then wait ten minutes.",
    "# Contact\n\nEmail address\n\nPhone number\n\nSupport\n",
    "# Contacts\n\nHelp\n\nSecurity\n\nPrivacy\n",
    "# Placeholder text\n\nDesigners may use lorem ipsum dolor sit amet in drafts, and never in what"
    " the public sees. Ask a writer early for words that say something.",
    "Neque porro quisquam est, qui dolorem ipsum quia dolor sit amet: so wrote Cicero, and printers"
    " made lorem ipsum of it. We tell the story to every new designer on the first day.",
    "# Signing\n\nLog in to DocuSign with your work address. Then upload the document.",
    "# Login\n\n- [VPN](https://vpn.agency.gov)\n- [Payroll system of the state](https://pay.gov)\n"
    "- [Timesheets and travel](https://time.gov)",
]


@pytest.mark.parametrize("text", LOGIN_PAGES)
def test_login_page_is_one(text: str) -> None:
    assert boilerplate(text) == LOGIN


@pytest.mark.parametrize("text", ERROR_PAGES)
def test_error_page_is_one(text: str) -> None:
    assert boilerplate(text) == ERROR


@pytest.mark.parametrize("text", [LOREM, LOREM * 300, "Lorem ipsum"])
def test_placeholder_text_is_that_at_any_length(text: str) -> None:
    assert boilerplate(text) == PLACEHOLDER


@pytest.mark.parametrize("text", GOOD)
def test_page_that_says_something_is_not_boilerplate(text: str) -> None:
    assert boilerplate(text) is None


def test_long_page_is_neither_login_nor_error_page() -> None:
    assert boilerplate(f"{LOGIN_PAGES[0]}\n" * 30) is None
    assert boilerplate(f"{ERROR_PAGES[2]}\n" * 30) is None


@pytest.mark.parametrize("page", [LOGIN_PAGES[0], ERROR_PAGES[2], LOREM])
def test_boilerplate_within_a_page_does_no_harm(page: str) -> None:
    guide = "Whoever wants to travel asks the manager, books the train and keeps the receipts. "
    assert boilerplate(f"# Guide\n\n{guide * 12}\n\n{page}") is None
