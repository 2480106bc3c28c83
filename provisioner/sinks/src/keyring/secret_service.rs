//! The Secret Service: what desktops of Linux keep secrets in, over D-Bus.
//! <https://specifications.freedesktop.org/secret-service/latest/>
//!
//! Values travel unencrypted over the session's bus, a socket of this user: whoever could listen there may as well ask
//! the keyring itself.

use std::collections::{BTreeSet, HashMap};
use std::path::Path as FilePath;
use std::time::Duration;

use dbus::Path;
use dbus::arg::{PropMap, RefArg, Variant};
use dbus::channel::Channel;
use dbus::message::Message;
use zeroize::Zeroizing;

use super::{KeyringError, Session, Settings};

const SERVICE: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const I_SERVICE: &str = "org.freedesktop.Secret.Service";
const I_COLLECTION: &str = "org.freedesktop.Secret.Collection";
const I_ITEM: &str = "org.freedesktop.Secret.Item";
const I_PROMPT: &str = "org.freedesktop.Secret.Prompt";
const I_PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// The path that stands for none.
const NONE: &str = "/";
/// A service that is only started by the first question takes a moment.
const WITHIN: Duration = Duration::from_secs(10);
/// What the libraries of most languages look an entry up by, besides `service`.
const ACCOUNT_NAMES: [&str; 2] = ["username", "account"];

/// A value as it travels: the session, its parameters, the value, its type.
type Travelling = (Path<'static>, Vec<u8>, Vec<u8>, String);

/// This user's keyring, open.
pub(super) struct Store {
    channel: Channel,
    session: Path<'static>,
    collection: Path<'static>,
    service: String,
}

impl Store {
    /// Opens the default keyring. One that needs a password stays shut.
    pub(super) fn open(settings: &Settings, session: &Session) -> Result<Self, KeyringError> {
        let address = session.bus.clone().or_else(address).ok_or(KeyringError::NoBus)?;
        let mut channel = Channel::open_private(&address).map_err(|_| KeyringError::NoBus)?;
        channel.register().map_err(|_| KeyringError::NoBus)?;
        let none = || Path::from(NONE);
        let mut store = Self { channel, session: none(), collection: none(), service: settings.service.clone() };
        let open = call(ROOT, I_SERVICE, "OpenSession").append2("plain", Variant(String::new()));
        let (_, session): (Variant<Box<dyn RefArg>>, Path<'static>) = read2(&store.send(open)?)?;
        store.session = session;
        let alias = call(ROOT, I_SERVICE, "ReadAlias").append1("default");
        store.collection = read1(&store.send(alias)?)?;
        if &*store.collection == NONE {
            return Err(KeyringError::NoDefault);
        }
        store.unlock()?;
        Ok(store)
    }

    /// The value of an entry.
    pub(super) fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        let Some(item) = self.item(name)? else { return Ok(None) };
        let ask = call(&item, I_ITEM, "GetSecret").append1(self.session.clone());
        let (_, _, value, _): Travelling = read1(&self.send(ask)?)?;
        Ok(Some(Zeroizing::new(value)))
    }

    /// Sets the value of an entry, in place where there is one.
    pub(super) fn set(&self, name: &str, value: &[u8], label: &str) -> Result<(), KeyringError> {
        let travelling = || (self.session.clone(), Vec::<u8>::new(), value.to_vec(), "text/plain".to_owned());
        let Some(item) = self.item(name)? else {
            let text = |text: &str| Variant(Box::new(text.to_owned()) as Box<dyn RefArg>);
            let attributes: HashMap<String, String> = self.attributes(name).into_iter().collect();
            let properties = PropMap::from([
                (format!("{I_ITEM}.Label"), text(label)),
                (format!("{I_ITEM}.Attributes"), Variant(Box::new(attributes) as Box<dyn RefArg>)),
            ]);
            let create = call(&self.collection, I_COLLECTION, "CreateItem").append3(properties, travelling(), true);
            let (_, prompt): (Path<'static>, Path<'static>) = read2(&self.send(create)?)?;
            return self.dismiss(&prompt);
        };
        self.send(call(&item, I_ITEM, "SetSecret").append1(travelling()))?;
        let label = call(&item, I_PROPERTIES, "Set").append3(I_ITEM, "Label", Variant(label.to_owned()));
        // The value is what counts: a service that keeps its own label is welcome to.
        drop(self.send(label));
        Ok(())
    }

    /// Deletes an entry.
    pub(super) fn delete(&self, name: &str) -> Result<(), KeyringError> {
        let Some(item) = self.item(name)? else { return Ok(()) };
        let prompt: Path<'static> = read1(&self.send(call(&item, I_ITEM, "Delete"))?)?;
        self.dismiss(&prompt)
    }

    /// What an entry is found by: the names that most libraries use.
    fn attributes(&self, name: &str) -> Vec<(String, String)> {
        let own = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut attributes = vec![
            own("service", &self.service),
            own("application", "latchkey"),
            own("xdg:schema", "org.freedesktop.Secret.Generic"),
        ];
        attributes.extend(ACCOUNT_NAMES.map(|account| own(account, name)));
        attributes
    }

    /// The one item that a consumer could find under that name.
    fn item(&self, name: &str) -> Result<Option<Path<'static>>, KeyringError> {
        let mut found = BTreeSet::new();
        for account in ACCOUNT_NAMES {
            let attributes = HashMap::from([("service", self.service.as_str()), (account, name)]);
            let search = call(ROOT, I_SERVICE, "SearchItems").append1(attributes);
            let (open, shut): (Vec<Path<'static>>, Vec<Path<'static>>) = read2(&self.send(search)?)?;
            if !shut.is_empty() {
                return Err(KeyringError::Locked);
            }
            found.extend(open.into_iter().map(|path| path.to_string()));
        }
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(KeyringError::Several { service: self.service.clone(), name: name.to_owned() }),
            (item, _) => Ok(item.map(Path::from)),
        }
    }

    /// Unlocks the keyring where that needs nobody.
    fn unlock(&self) -> Result<(), KeyringError> {
        let ask = call(&self.collection, I_PROPERTIES, "Get").append2(I_COLLECTION, "Locked");
        let Variant(shut): Variant<bool> = read1(&self.send(ask)?)?;
        if !shut {
            return Ok(());
        }
        let ask = call(ROOT, I_SERVICE, "Unlock").append1(vec![self.collection.clone()]);
        let (_, prompt): (Vec<Path<'static>>, Path<'static>) = read2(&self.send(ask)?)?;
        self.dismiss(&prompt)
    }

    /// What wants somebody to type a password is refused: nobody may be there.
    fn dismiss(&self, prompt: &Path<'static>) -> Result<(), KeyringError> {
        if &**prompt == NONE {
            return Ok(());
        }
        drop(self.send(call(prompt, I_PROMPT, "Dismiss")));
        Err(KeyringError::Locked)
    }

    fn send(&self, message: Message) -> Result<Message, KeyringError> {
        self.channel.send_with_reply_and_block(message, WITHIN).map_err(|error| {
            // Only the name of an error is repeated: its text is whatever the service chose.
            match error.name().unwrap_or_default() {
                "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
                    KeyringError::NoService
                }
                name if name.starts_with("org.freedesktop.DBus.Error.Spawn") => KeyringError::NoService,
                "org.freedesktop.Secret.Error.IsLocked" => KeyringError::Locked,
                name => KeyringError::Failed(format!("the keyring failed (`{name}`)")),
            }
        })
    }
}

/// Where the session's bus is. D-Bus itself would start one where there is none, with nobody's keyring on it.
fn address() -> Option<String> {
    let named = std::env::var("DBUS_SESSION_BUS_ADDRESS").ok().filter(|named| !named.trim().is_empty());
    named.or_else(|| {
        let folder = std::env::var("XDG_RUNTIME_DIR").ok().filter(|folder| folder.starts_with('/'))?;
        let socket = FilePath::new(&folder).join("bus");
        socket.exists().then(|| format!("unix:path={}", socket.display()))
    })
}

fn call(path: &str, interface: &str, method: &str) -> Message {
    Message::method_call(&SERVICE.into(), &Path::from(path.to_owned()), &interface.into(), &method.into())
}

fn read1<'a, T: dbus::arg::Arg + dbus::arg::Get<'a>>(answer: &'a Message) -> Result<T, KeyringError> {
    answer.read1().map_err(|_| strange())
}

fn read2<'a, A: dbus::arg::Arg + dbus::arg::Get<'a>, B: dbus::arg::Arg + dbus::arg::Get<'a>>(
    answer: &'a Message,
) -> Result<(A, B), KeyringError> {
    answer.read2().map_err(|_| strange())
}

fn strange() -> KeyringError {
    KeyringError::Failed("the keyring does not answer like a Secret Service".to_owned())
}
