"""A mail server for one test, by aiosmtpd: it takes mail over TLS or without, asks who comes, and refuses what it is told to refuse.

usage: mail_server.py OPTIONS, as JSON: port; tls (`starttls`, `implicit` or `none`), cert and key; login (user and password, or null);
recipients (an answer for each that is not taken); answers (to mails, one after the other; `drop` takes one and breaks the connection);
strict (recipients for whom no mail is fit); is_curt (it does not answer to a goodbye, and says that it heard one). It prints a line when it listens, and one of JSON for each mail that it was handed, as Python's own library reads it.
"""

import asyncio
import json
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

OPTIONS = json.loads(sys.argv[1])


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        answers = OPTIONS["recipients"].get(address, [])
        if answers:
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = OPTIONS["answers"].pop(0) if OPTIONS["answers"] else "250 taken"
        if set(OPTIONS["strict"]) & set(envelope.rcpt_tos):
            answer = "554 unfit"
        message = message_from_bytes(envelope.content, policy=policy.default)
        text = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
        told = {
            "rcpt": envelope.rcpt_tos,
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "plain": text.get("text/plain"),
            "html": text.get("text/html"),
            "tls": session.ssl is not None or OPTIONS["tls"] == "implicit",
            "authenticated": session.authenticated,
            "answer": answer,
            "defects": [str(defect) for part in message.walk() for defect in part.defects],
        }
        print(json.dumps(told), flush=True)
        if answer == "drop":
            server.transport.abort()
            return "250 nobody hears this"
        return answer

    async def handle_QUIT(self, server, session, envelope):
        if OPTIONS["is_curt"]:
            print(json.dumps("goodbye"), flush=True)
            await asyncio.get_running_loop().create_future()
        return "221 Bye"


def authenticated(server, session, envelope, mechanism, data):
    is_known = isinstance(data, LoginPassword) and [data.login.decode(), data.password.decode()] == OPTIONS["login"]
    return AuthResult(success=is_known, handled=False)


async def serve():
    context = None
    if OPTIONS["tls"] != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(OPTIONS["cert"], OPTIONS["key"])
    is_starttls = OPTIONS["tls"] == "starttls"
    settings = {
        "hostname": "mail.test",
        "tls_context": context if is_starttls else None,
        "require_starttls": is_starttls,
    }
    if OPTIONS["login"]:
        settings.update(authenticator=authenticated, auth_required=True, auth_require_tls=is_starttls)
    made = lambda: SMTP(Handler(), **settings)
    implicit = context if OPTIONS["tls"] == "implicit" else None
    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", OPTIONS["port"], ssl=implicit)
    print("listening", flush=True)
    await server.serve_forever()


asyncio.run(serve())
