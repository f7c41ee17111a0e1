"""The company that a lead belongs to: by an id that a publisher gives, or by the domain of an address."""

from __future__ import annotations

import re

from scorer.wire.blocked import words

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]").search
_DOMAIN = re.compile(r"[\w-]+(\.[\w-]+)+").fullmatch
MAX_ACCOUNT = 128
"""Characters of an account's id."""
FREE_MAIL = words(
    """
    126.com 139.com 163.com aliyun.com aol.com arcor.de att.net bigpond.com bk.ru bluewin.ch bol.com.br
    btinternet.com charter.net comcast.net cox.net daum.net duck.com email.com fastmail.com fastmail.fm
    foxmail.com free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com
    hanmail.net hey.com hotmail.co.uk hotmail.com hotmail.de hotmail.es hotmail.fr hotmail.it hushmail.com
    icloud.com inbox.com inbox.ru interia.pl juno.com laposte.net libero.it list.ru live.co.uk live.com
    live.de live.fr live.nl mac.com mail.com mail.ru mailbox.org me.com msn.com naver.com o2.pl onet.pl
    online.de orange.fr outlook.com outlook.de outlook.es outlook.fr posteo.de proton.me protonmail.com
    qq.com rambler.ru rediffmail.com rocketmail.com sbcglobal.net seznam.cz sfr.fr sina.com sky.com
    sohu.com t-online.de talktalk.net telenet.be terra.com.br tutanota.com ukr.net uol.com.br verizon.net
    virgilio.it wanadoo.fr web.de wp.pl yahoo.ca yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com
    yahoo.com.br yahoo.de yahoo.es yahoo.fr yahoo.in yahoo.it yandex.com yandex.ru yeah.net ymail.com
    ziggo.nl zoho.com
    """
)
"""Where anybody gets an address."""


def domain_of(address: str) -> str:
    """The domain of an address in lower case, if it can be a company's; empty: it can't."""
    domain = address.rpartition("@")[2].rstrip(".")
    return domain if _DOMAIN(domain) and len(domain) <= MAX_ACCOUNT else ""


def is_account(text: str) -> bool:
    """Whether a text may be an account's id."""
    return 0 < len(text) <= MAX_ACCOUNT and text[0] != "@" and not CONTROL(text)
