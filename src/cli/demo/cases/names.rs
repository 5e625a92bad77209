// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Where made-up people come from: nationality, names, languages and the residence titles that fit. No name belongs to anybody.
//!
//! Together the names reach across DIN 91379: letters with two marks, sequences of combining characters, signs inside names, commas.

/// One origin. Codes are those of the lists `nationality`, `language` and `residence`.
#[derive(Debug)]
pub(super) struct Origin {
    /// How many of a hundred or so people come from there.
    pub weight: u32,
    pub nationality: &'static str,
    pub languages: &'static [&'static str],
    pub families: &'static [&'static str],
    pub women: &'static [&'static str],
    pub men: &'static [&'static str],
    /// The same name in its own script, for the first family and the first woman's name.
    pub native_script: &'static str,
    pub titles: &'static [&'static str],
    /// Names of people who have only one.
    pub single: &'static [&'static str],
}

const PROTECTED: &[&str] = &["AE-25-2-F", "AE-25-2-S", "AE-25-3", "AGST", "NE-26-3", "FIK-81-4"];
const EUROPEAN: &[&str] = &["EU-FREI", "EU-DAUER"];
const SKILLED: &[&str] = &["AE-18A", "AE-18B", "AE-18G", "AE-16A", "AE-30", "AE-20A", "AE-31"];
const FAMILY: &[&str] = &["AE-28-1-1", "AE-30", "NE-9", "AE-31", "DUL-60C", "AE-25B-1"];

const NOWHERE: Origin = Origin {
    weight: 1,
    nationality: "998",
    languages: &["eng"],
    families: &[],
    women: &[],
    men: &[],
    native_script: "",
    titles: FAMILY,
    single: &[],
};

pub(super) const ORIGINS: &[Origin] = &[
    Origin {
        weight: 16,
        nationality: "475",
        languages: &["ara", "kmr"],
        families: &["Al-Ḥasanī", "Ḥaddād", "ʿAbd ar-Raḥmān", "Qāsim aṭ-Ṭawīl", "Šaʿbān"],
        women: &["Nūr", "Layān", "Rīm", "Ḫulūd"],
        men: &["Ṭāriq", "Yūsuf", "Ẓāfir", "ʿĀdil"],
        native_script: "نور الحسني",
        titles: PROTECTED,
        ..NOWHERE
    },
    Origin {
        weight: 13,
        nationality: "166",
        languages: &["ukr", "rus"],
        families: &["Ševčenko", "Ščerbak’jan", "Hryščuk", "Jalovyj", "Čornovìl"],
        women: &["Oksana", "Ol’ha", "Solomìja", "Žanna"],
        men: &["Jurìj", "Ìhor", "Taras"],
        titles: &["AE-24", "AE-24", "AE-24", "AE-18B", "AE-29-4"],
        ..NOWHERE
    },
    Origin {
        weight: 9,
        nationality: "423",
        languages: &["prs", "pbt"],
        families: &["Aḥmadzai", "Raḥīmī", "Ġulāmī", "Ṣāfī"],
        women: &["Farīda", "Žāla", "Nāhīd"],
        men: &["Ḥāmid", "Zalmay", "Mīrwais"],
        titles: PROTECTED,
        single: &["Gulālai", "Baryālai", "Zarġūna"],
        ..NOWHERE
    },
    Origin {
        weight: 9,
        nationality: "163",
        languages: &["tur", "kmr"],
        families: &["Yıldırım", "Öztürk", "Çağlayan", "İpekçioğlu", "Şahin-Weiß"],
        women: &["Gülşen", "Işıl", "Tuğçe"],
        men: &["Emre", "Çağrı", "Oğuz İsmail"],
        titles: &["ARB80", "NE-9", "AE-30", "AE-28-1-1"],
        ..NOWHERE
    },
    Origin {
        weight: 7,
        nationality: "152",
        languages: &["pol"],
        families: &["Wiśniewska-Łoś", "Łukaszewicz", "Żółkiewski", "Dąbrowśki"],
        women: &["Małgorzata", "Świętosława", "Bożena"],
        men: &["Zbigniew", "Wojciech", "Łucjan"],
        titles: EUROPEAN,
        ..NOWHERE
    },
    Origin {
        weight: 6,
        nationality: "432",
        languages: &["vie"],
        families: &["Nguyễn", "Đặng-Trần", "Phạm Vũ", "Lưỡng"],
        women: &["Thị Hồng Nhung", "Ngọc Ánh", "Mỹ Lệ"],
        men: &["Văn Dũng", "Đức Thắng", "Quốc Bảo"],
        titles: SKILLED,
        ..NOWHERE
    },
    Origin {
        weight: 6,
        nationality: "224",
        languages: &["tir", "amh"],
        families: &["Täsfay", "Gäbrä-Mädhən", "Haylä", "Ḵidanä"],
        women: &["Sälam", "Ləmləm", "Ṣəgereda"],
        men: &["Yoḥannəs", "Ṭəʿumay", "Filmon"],
        titles: PROTECTED,
        single: &["Məḥrät"],
        ..NOWHERE
    },
    Origin {
        weight: 5,
        nationality: "154",
        languages: &["ron", "rom"],
        families: &["Ștefănescu", "Țurcanu", "Brânză"],
        women: &["Ana-Măriuca", "Ilinca", "Doinița"],
        men: &["Ionuț", "Țeban", "Răzvan Ștefan"],
        titles: EUROPEAN,
        ..NOWHERE
    },
    Origin {
        weight: 4,
        nationality: "425",
        languages: &["aze", "rus"],
        families: &["Əliyeva", "Məmmədzadə", "Çıraqov"],
        women: &["Günəş", "Şəfəq"],
        men: &["Əkbər", "Rəşad"],
        titles: SKILLED,
        ..NOWHERE
    },
    Origin {
        weight: 4,
        nationality: "438",
        languages: &["ckb", "ara"],
        families: &["Ḥawramî", "Barzincî", "Şêxanî"],
        women: &["Şîlan", "Ŗêzan", "Hêvî"],
        men: &["Ḧesen", "Aẍa", "Dilşad"],
        titles: PROTECTED,
        ..NOWHERE
    },
    Origin {
        weight: 3,
        nationality: "136",
        languages: &["isl"],
        families: &["Þórðardóttir", "Guðmundsson", "Ægisdóttir"],
        women: &["Æsa", "Guðrún Ósk"],
        men: &["Jón Þór", "Össur"],
        titles: EUROPEAN,
        ..NOWHERE
    },
    Origin {
        weight: 3,
        nationality: "139",
        languages: &["lav", "rus"],
        families: &["Bērziņš", "Ķirsons", "Ģērmane"],
        women: &["Līga", "Ķitija"],
        men: &["Ģirts", "Ņikita"],
        titles: EUROPEAN,
        ..NOWHERE
    },
    Origin {
        weight: 3,
        nationality: "436",
        languages: &["hin", "tam"],
        families: &["Kr̥ṣṇamūrti", "Śrīnivāsan", "R̥ṣikumār"],
        women: &["Lakṣmī", "Añjali"],
        men: &["Viṣṇu", "Kr̥pāl"],
        titles: SKILLED,
        single: &["Saṃyuktā"],
        ..NOWHERE
    },
    Origin {
        weight: 3,
        nationality: "262",
        languages: &["fra", "eng"],
        families: &["N̄gono", "M̀bàrgà", "N̂djock"],
        women: &["Mbɨa", "Émilienne"],
        men: &["Élie", "N̂kolo"],
        titles: FAMILY,
        ..NOWHERE
    },
    Origin {
        weight: 3,
        nationality: "430",
        languages: &["kat", "rus"],
        families: &["Č̣aladze", "K̕ap̕anaʒe", "C̣ereteli"],
        women: &["K̕et̕evan", "Nino"],
        men: &["T̕ariel", "Zviad"],
        titles: SKILLED,
        ..NOWHERE
    },
    Origin {
        weight: 3,
        nationality: "232",
        languages: &["yor", "eng"],
        families: &["Ọláníyì-Adé", "Ẹgbẹ-Ayọ", "Ọbásànjọ"],
        women: &["Fúnmiláyọ", "Títílọlá"],
        men: &["Bọlá", "Káyọdé"],
        titles: FAMILY,
        ..NOWHERE
    },
    Origin {
        weight: 2,
        nationality: "150",
        languages: &["sqi", "srp"],
        families: &["Hoxhë-Çela", "Përparimi"],
        women: &["Çlirimtare", "Blertë"],
        men: &["Agëron", "Shkëlqim"],
        titles: &["AE-19C", "AE-30", "DUL-60A", "DUL-60D"],
        ..NOWHERE
    },
    Origin {
        weight: 2,
        nationality: "161",
        languages: &["spa"],
        families: &["Íñiguez de la Peña", "Núñez, Hijo"],
        women: &["María José", "Begoña"],
        men: &["Íñigo", "Ángel"],
        titles: EUROPEAN,
        ..NOWHERE
    },
    Origin {
        weight: 2,
        nationality: "368",
        languages: &["eng"],
        families: &["Baker, Jr.", "O’Hara-Smythe"],
        women: &["Zoë", "Renée"],
        men: &["D’Angelo", "Chloë-Lee"],
        titles: SKILLED,
        ..NOWHERE
    },
    Origin {
        weight: 2,
        nationality: "437",
        languages: &["ind"],
        families: &["Wijayakusuma"],
        women: &["Dèwi"],
        men: &["Bambang"],
        titles: SKILLED,
        single: &["Suhartini", "Sukarno-Putra"],
        ..NOWHERE
    },
    Origin {
        weight: 1,
        nationality: "997",
        languages: &["ara"],
        families: &["Al-Ḫaṭīb"],
        women: &["Mayyāda"],
        men: &["Ǧamāl"],
        titles: PROTECTED,
        ..NOWHERE
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::value::din91379::{Kind, check};

    #[test]
    fn every_name_is_in_the_repertoire_and_in_normal_form() {
        let names = ORIGINS.iter().flat_map(|origin| [origin.families, origin.women, origin.men, origin.single]).flatten();
        let outside: Vec<_> = names.filter_map(|name| check(Kind::A, name).err().map(|error| (name, error))).collect();
        assert!(outside.is_empty(), "{outside:?}");
    }

    #[test]
    fn the_repertoire_is_used_from_end_to_end() {
        let all: String = ORIGINS.iter().flat_map(|origin| [origin.families, origin.women, origin.men, origin.single]).flatten().copied().collect();
        let letters: std::collections::BTreeSet<char> = all.chars().filter(|letter| !letter.is_ascii()).collect();
        assert!(letters.len() > 90, "only {} letters beyond ASCII", letters.len());
        assert!(all.chars().filter(|letter| ('\u{300}'..'\u{370}').contains(letter)).count() > 8, "combining sequences are missing");
        assert!(all.contains(','));
    }
}
