//! Lists of words, in lower case: common first names and surnames of the United States and elsewhere,
//! towns, and words that stand in capitals in clinical texts and name nobody. Written for this crate from
//! common knowledge; none is complete, nor need be.

use std::collections::BTreeSet;
use std::sync::LazyLock;

type Words = LazyLock<BTreeSet<&'static str>>;

static FIRST_NAME: Words = LazyLock::new(|| FIRST_NAMES.split_whitespace().collect());
static SURNAME: Words = LazyLock::new(|| SURNAMES.split_whitespace().collect());
static AMBIGUOUS_WORD: Words = LazyLock::new(|| AMBIGUOUS.split_whitespace().collect());
static ORDINARY_WORD: Words = LazyLock::new(|| ORDINARY.split_whitespace().collect());
static TOWN: Words = LazyLock::new(|| {
    let towns = TOWNS.split(['|', '\n']).map(str::trim);
    towns.filter(|town| !town.is_empty()).collect()
});

pub(super) fn is_first_name(word: &str) -> bool {
    FIRST_NAME.contains(word)
}

pub(super) fn is_surname(word: &str) -> bool {
    SURNAME.contains(word)
}

/// A name that is a word or a place as well.
pub(super) fn is_ambiguous(word: &str) -> bool {
    AMBIGUOUS_WORD.contains(word)
}

/// A word that names nobody by itself.
pub(super) fn is_ordinary(word: &str) -> bool {
    ORDINARY_WORD.contains(word)
}

/// A town, as it is written; not one that stands for something else in clinical texts, as Glasgow does.
pub(super) fn is_town(text: &str) -> bool {
    let town = text.to_lowercase();
    TOWN.contains(town.as_str()) && !is_ordinary(&town)
}

/// First names.
const FIRST_NAMES: &str = "
aaliyah aaron abena abigail adaeze adam adeline agnes ahmed aiden aisha akira alan albert alejandro
alexa alexander alexis alfred ali alice alistair allison alyssa ama amanda amber amelia amir amit
amy ana anastasia andrea andrew angela anil anita anjali ann anna annette anthony antonio aoife
ariana arjun arthur ashley astrid audrey aurora autumn ava barbara beatrice becky bella benjamin
bernard bertha betty beverly billy bjorn bobby boris brandon brenda brian bridget brielle brittany
bronwen brooklyn bruce bryan callum camila carl carlos carmen carol caroline carolyn catherine
charles charlotte cheryl chiara chinedu chloe christian christina christine christopher claire
clarence claude clifford colin colleen cora cynthia daniel danielle darnell david deborah debra
deepak denise dennis deshawn diana diane diego dieter dmitri donald donna doris dorothy douglas
dylan edgar edith eduardo edward eleanor elena eliana elijah elizabeth ella emeka emery emilia emily
emma eric erik ernest ethan ethel eugene eunice eva evelyn everly ewan fang fatima femi fernando
fiona frances francesca francis francisco francois frederick freya gabriel gabriella gareth gary
genesis geoffrey george gerald gertrude gianna gina giovanni giulia giuseppe gloria graham grayson
gregory greta guadalupe hailey hannah hans harold harper harriet haruto harvey hassan hazel heather
heinrich helen henry herbert hiroshi howard hussein ibrahim igor imani imogen ingrid irina irma
isaac isabella ivan ivy jack jackson jacob jacqueline jamal james janet janice jason javier jean
jeanette jeffrey jennifer jenny jeremy jerry jesse jessica jing joan joe john johnny jonathan jordan
jorge jose joseph josephine joshua joyce juan judith judy julia juliana julie jurgen justin karen
karim katherine kathleen kathryn katie kavita kayla keisha keith kelly kenji kennedy kenneth kevin
khadija kimberly kinsley kirsten klaus kofi kwame kyle lakshmi larry lars latoya laura lauren
lawrence layla layth leila leo leonard li liam lily linda linh lisa lloyd logan lori lorraine luca
lucas lucia lucy luis luna luz lydia mabel madelyn madison maggie malik manuel marco margaret maria
marie marilyn mario martha marvin mary mason mateo matthew maureen max maya meera megan melissa
melvin mia michael michel michelle miguel mildred milton ming minh mohammed molly muhammad mustafa
nancy naomi natalie natasha nathan nellie ngozi nguyen niamh nicholas nicole nigel noah nomsa noor
nora norman nova olga oliver olivia oluwaseun omar oscar paisley pamela paolo patricia patrick paul
pedro peggy peter philip pierre piper pooja priya quinn rachel rafael rahul rajesh ramesh raul ravi
rebecca rhys ricardo richard rita robert roberto roger rohan ronald rosa roy russell ruth ryan sadie
sakura sally samantha samir samuel sandra sanjay santiago sara sarah savannah scott sean sebastian
serenity sergei sergio sharon sheila shirley siobhan sipho skylar sofia sophia stacy stanley
stephanie stephen steven sunita suresh susan suzanne sven svetlana tamika tariq tatiana teresa terry
thabo theresa thi thomas timothy tina tonya tracy trevor tunde tyler tyrone valentina vernon
victoria vijay vincent violet virginia vladimir walter wei wendy william willie willow wilma
wolfgang xiao yasmin yuki yusuf yvonne zachary zainab zoe zola
";

/// Surnames.
const SURNAMES: &str = "
adams adeyemi aguilar ahmed alexander ali allen almeida alvarado alvarez anderson andersson andrews
armstrong arnold austin bailey baker bakker banks barnes becker bell bennett bernard berry bianchi
bishop black boateng bowman boyd bradley brooks brown bryant buchanan bui burke burns burton butler
campbell carlson carpenter carr carroll carter castillo castro chapman chavez chen cho choi
chowdhury christensen clark cole coleman collins contreras cook cooper costa cox crawford cruz
cunningham dang daniels davis day dean delgado devries diaz dixon dlamini doherty dominguez dubois
duncan dunn durand edwards elliott ellis eriksson espinoza esposito estrada evans ferguson fernandez
ferrari ferreira fields fischer fisher fitzgerald flores ford foster fowler fox franklin fraser
freeman fuller gallagher garcia gardner garrett garza george gibson gilbert gomez gonzales gonzalez
gordon graham grant gray green greene griffin guerrero gupta gutierrez guzman hall hamilton hansen
hanson harper harris harrison hart harvey hawkins hayes henderson henry hernandez herrera hicks hill
hoffman hofmann holmes horvat howard howell huang hudson hughes hunt hunter hussain huynh ionescu
ivanov iyer jackson jacobs james jansen jenkins jensen jimenez johansson johnson johnston jones
jordan jung kang karlsson kavanagh kelley kelly kennedy khan kim king klein knight kobayashi koch
kovac kowalski kumar lane larsen larson laurent lawrence lawson le lee lefebvre lewis li lim little
liu long lopez lucas luna lynch ma macdonald mackenzie maldonado malik marquez marshall martin
martinez mason matthews mccarthy mccoy mcdonald medina mehta mejia mendez mendoza mensah meyer
miller mills mitchell montgomery moore morales moreau moreno morgan morris morrison muller munoz
murphy murray myers nakamura nelson nguyen nichols nilsson nkosi novak nowak nunez obrien oconnor
okafor okonkwo oliveira oliver olsen olson oneill ortega ortiz owens owusu padilla palmer park
parker patel patterson payne pedersen pena pereira perez perkins perry peters peterson petit petrov
pham phillips pierce popescu porter powell price rahman ramirez ramos rao ray reddy reed reid reyes
reynolds rice richards richardson richter riley rios rivera roberts robertson robinson rodriguez
rogers rojas romero rose ross rossi ruiz russell russo ryan salazar sanchez sanders sandoval
santiago santos sato schmidt schneider schultz schulz scott shah sharma shaw silva simmons simpson
sims sinclair singh smit smith snyder sokolov soto souza spencer stephens stevens stewart stone
sullivan sun suzuki takahashi tanaka taylor thomas thompson torres tran tucker turner valdez vargas
vasquez vega visser vo wagner walker wallace walsh wang ward warren washington watanabe watkins
watson weaver webb weber welch wells west wheeler white williams williamson willis wilson wojcik
wolf wong wood woods wright wu xu yamamoto yang yoon young zhang zhao zhou
";

/// Names that are words or places as well.
const AMBIGUOUS: &str = "
an april art aurora austin autumn banks bell bill black brooklyn brown bush carolina carter
charlotte chase christian cliff cook cox cross dale dawn day dean do drew faith fields florence ford
fox frank gene genesis georgia ginger grace grant gray green grey guy hall harper hazel hill hope
hunter ivy jack jackson jean jordan joy june kennedy king knight lane le leo li lily little logan
long love luna ma madison mark marsh mason max may miles mills noble norm nova olive page park parks
pat penny piper price quinn ray reed rice rich rob robin rose rush sage savannah serenity sharp
short skylar small stein sterling still stone strong sue summer swan sydney the tray victoria violet
virginia wade ward waters west white will willow wise wood woods young
";

/// Towns, apart by bars.
const TOWNS: &str = "
accra|albuquerque|amsterdam|anchorage|ankara|athens|atlanta|auckland|baghdad|baltimore|bangalore|
bangkok|barcelona|basel|beijing|beirut|belfast|berlin|birmingham|bogota|boise|boston|brisbane|
bristol|bronx|brooklyn|brussels|bucharest|budapest|buenos aires|buffalo|cairo|calgary|cape town|
cardiff|chandler|chattanooga|chennai|chicago|cincinnati|cleveland|cologne|colorado springs|columbus|
copenhagen|dallas|damascus|delhi|denver|des moines|detroit|dhaka|dubai|dublin|durham|edinburgh|
el paso|fargo|fort worth|frankfurt|fresno|geneva|glasgow|guadalajara|hamburg|hanoi|harlem|havana|
helsinki|hong kong|honolulu|houston|indianapolis|irvine|istanbul|jacksonville|jakarta|jerusalem|
johannesburg|kabul|kansas city|karachi|kingston|knoxville|kolkata|krakow|kyiv|lagos|lahore|laredo|
las vegas|leeds|lima|lisbon|little rock|liverpool|london|los angeles|louisville|lubbock|lyon|
madison|madrid|manchester|manhattan|manila|marseille|melbourne|memphis|mexico city|miami|milan|
milwaukee|minneapolis|montgomery|montreal|moscow|mumbai|munich|nairobi|naples|nashville|new delhi|
new orleans|new york city|newark|norfolk|oakland|oklahoma city|omaha|orlando|osaka|oslo|ottawa|
paris|perth|philadelphia|phoenix|pittsburgh|plano|port-au-prince|portland|porto|prague|providence|
queens|raleigh|richmond|rio de janeiro|riyadh|rochester|rome|rotterdam|sacramento|salt lake city|
san antonio|san diego|san francisco|san jose|santiago|santo domingo|sao paulo|savannah|seattle|
seoul|shanghai|sheffield|singapore|spokane|st. louis|staten island|stockholm|sydney|tacoma|taipei|
tampa|tehran|tel aviv|tokyo|toledo|toronto|tucson|tulsa|vancouver|vienna|warsaw|wichita|zurich|
";

/// Words that name nobody by themselves.
const ORDINARY: &str = "
a abdomen abnormal about above abscess absent accession accident account acetaminophen achilles
across acute adc addendum addison addison's additional additionally address adenocarcinoma admission
admit admitted adult advair advised afebrile african after afternoon again against age aids alabama
alaska albumin albuterol alcohol alert alive all allergies allergy alone along alp alprazolam also
alt although always alzheimer alzheimer's am ambien ambulating ambulatory america american
amlodipine among amoxicillin an and anemia anesthesia aneurysm ankle ann another anterior anxiety
any aorta aortic ap apartment apgar apical appendicitis approximately april apt arabic arbor are
arizona arkansas arnold around arteries artery arthritis as asian aspirin assessment ast asthma at
atelectasis atenolol ativan atorvastatin attached attending attn augmentin august ave avenue awake
axial axilla axillary azithromycin babinski baby bactrim baker's barre barrett barrett's basal based
basilar be because bed been before behind being bell's below bence benign beside bethesda between
beyond bi-rads bid bilateral bilirubin billroth biopsy birads birth black bladder bleeding block
blvd bmi bnp bone bones born bosniak both boulevard bowel box boy bp bpm braden brain breast breasts
breath breslow bronchi bronchus brother brown budd building bun bupropion burkitt bus but by
calcification calcifications calcium california called calve can canada cancer candida car carcinoma
cardiac cardiology care caregiver carvedilol case category caucasian cc cdc ceftriaxone center
central cephalexin cerebellum cerebral certificate cervical cervix charcot chart chest cheyne chiari
chief child chills china chinese chloride cholecystitis chronic church ciprofloxacin circle
cirrhosis citalopram city clark's class clear clinic clinical clopidogrel clostridium cm cmv coli
colitis college colon colorado comfortable compared comparison compatible complains complaint
complete computed conclusion conclusions connecticut consistent consolidation constipation consult
consultation contact continue continued contrast cooperative copd copies copy coronal cough could
coumadin counseled county court covid covid-19 creatinine crestor crohn crohn's ct culture cultures
current currently cushing cushing's cyst cysts dandy danlos date daughter day days dear death
deceased december decreased degenerative delaware dementia demonstrated denies depakote department
depression dermatology desk device dexamethasone diabetes diagnoses diagnosis diarrhea dictated did
died differential difficile diffuse diffusion dilantin dilaudid disc discharge discharged
discontinued discussed disk dislocation disposition dissection distal diverticulitis diverticulosis
divorced dizziness dl dna do dob doctor does doing done doppler dorsal down doxycycline dr drive
drugs due duodenum dupuytren dupuytren's during dwi dyspnea e each east ebv ecg echo echocardiogram
ed edema educated eeg effusion effusions ehlers eight either ejection ekg elbow electronically
elevated eliquis email embolism emergency emg employed enclosed encounter end england english
enlarged epilepsy er escherichia escitalopram esophagus ethmoid european even evening ever every
evidence ewing ewing's exam examination facility fall family fat father fatigue fax fda february
fell fellow female femoral femur fentanyl fetal fetus fever few fibrosis fibula fifth figo file
final finding findings finger fingerprint fingerprints fingers first five flagyl flair fleischner
floor florida fluoxetine focal foley follow followup foot for four fourth fowler's fraction fracture
fractures french friday friend from frontal furosemide further g gabapentin gadolinium gallbladder
ganz gcs gehrig's gender general georgia german girl given glasgow gleason glucose grade graves
group guardian guillain gynecology h had haemorrhage haloperidol hand has hashimoto hashimoto's have
having hawaii hct he head headache health heart heimlich helicobacter help hematoma hemorrhage
heparin hepatitis her here hernia hgb hickman highway hilar hilum him hindi hip hipaa his hispanic
history hiv hodgkin hodgkin's home hospice hospital hounsfield hour hours house how however hpv hr
hs humalog humerus huntington huntington's husband hx hydrochlorothiazide hydrocodone hyperlipidemia
hypertension hypertensive i ibuprofen icu id idaho identified if ihc illinois illness im image
images imaging immunohistochemistry important impression impressions in increased index india
indiana indication indications infant infarct infarction infection inferior inflammation influenza
information informed initial injury inpatient inr instructed insulin insurance intensive internal
interpreter interval into intravenous iodinated iowa ip ireland is ischemia isovue it italian its iv
jackson january japanese job joint joints jones july june just kansas kaposi kaposi's karnofsky
keflex kellgren kentucky keppra kerley kg kidney kidneys kin klatskin klebsiella knee korean
korsakoff kussmaul l lab laboratory labs lane lantus large lasix lateral least left legg lesion
lesions less let leukemia levaquin level levofloxacin levothyroxine lexapro li-rads licence license
ligament likely likert limited lipitor lisinopril liver lives living ln lobe lobes lorazepam
losartan lot lou louisiana lovenox lower lumbar lung lung-rads lungs lymph lymphoma lyrica magnesium
magnetic maine male malignancy malignant mallory mammogram man mandible many march marfan marie
married maryland mass massachusetts masses maxillary may mcburney's mcg md measured measures
measuring meckel's medial mediastinal mediastinum medicaid medical medicare medication medications
medicine melanoma mellitus member meq metastases metastasis metastatic metformin metoprolol
metronidazole mexico mg michigan middle midline might migraine mild minnesota minute minutes miss
mississippi missouri mitral ml mm mmhg mmol model moderate monday montana month months more morning
morphine morse most mother motor mr mri mrn mrs mrsa ms much multiple murphy's muscle muscles must
my name native nausea near nebraska neck negative neither nerve nerves neurology neurontin nevada
never new nexium next nhs night nihss nine nissen no node nodes nodule nodules none nor norco normal
north not note noted notes notified november novolog np npo number nurse nurses nursing obesity
objective oblique obstetrics obstruction obtained occipital october of off office often ohio
oklahoma old omeprazole omnipaque on once oncology one only onto ophthalmology or oral orbit orbits
order ordered oregon oriented orthopedics osgood osteoarthritis osteoporosis other otherwise our out
outpatient ovarian ovaries ovary over overall own oxycodone pa page paget paget's pain palpitations
pancreas pancreatitis panel pantoprazole parent parents parietal parkinson parkinson's partial
partner past pathologist pathology patient patients pcr pediatrics pelvis pennsylvania per percocet
perforation performed pericardial peripheral perthes pet pharmacist phd phone photo photograph
physical physician physicians pi-rads picture pl place placenta plan plate plavix pleasant please
pleural plt pneumonia pneumothorax po policy polish portal portuguese positive possible post
posterior potassium pratt prednisone preliminary present presented presenting presents previous
previously primary prior prn probable procedure procedures prof progress prostate protonix provider
proximal prozac pseudomonas psychiatry pt ptt pulmonary pylori qd qid radiograph radiographs
radiologist radiology radius rash rate ratio raynaud raynaud's rbc rd re received receiving recent
recently recommendation recommendations recommended record records rectum reduced regarding regards
registration rehab rehabilitation renal repeat repeated report reports resident resonance results
retired returned returns review reviewed right rinne risperdal rn rna road rocephin romberg room
rosuvastatin rotating roux rr rsv russian sacral sagittal same sample sarcoma saturday scale scan
scans schatzki scheduled schlatter school scoliosis score scotland second secondary section see seen
seizure sepsis september sequard sequence sequences serial series seroquel sertraline service seven
severe sex shall she shortness should shoulder signed signs simvastatin since sincerely single sinus
sinuses sister six size skin skull small smoker smoking so social sodium soft some sometimes son
south spanish special specimen sphenoid spine spiriva spleen spo2 spondylosis spouse sq ssn st
stable staff stage stain staphylococcus start started stat state states status stenosis still stir
stokes stomach stopped street streptococcus stroke study subacute subjective such suggestive suite
summary sunday superior surgeon surgery surgical suspicious swan swelling symbicort syncope
synthroid systems tachycardic taken tanner tb team technique technologist temp temporal ten tendon
tennessee terrace tertiary test testes testis tests texas than thank thanks that the their them then
therapist there therefore these they third this thoracic thorax those three thrombosis through thumb
thursday thyroid ti-rads tibia tid time tiny tissue tissues tnm to tobacco today toe toes tomography
tomorrow tonight too tooth total trachea tramadol transcribed trauma trazodone trendelenburg
tricuspid troponin truck tuesday tumor tumour turner twice two tylenol type uk ulna ultrasound
unchanged under undergoing underwent unit united university unremarkable until up upper url urology
us usa utah uterus va vagina valsalva vancomycin vehicle vein veins ventolin ventral verified
vermont very vessel vessels via vicodin video vietnamese view views virchow virginia visit vital
vitals vomiting vre wales walker ward warfarin was washington way wbc we weakness weber website
wednesday week weeks weighted weiss well well-developed well-nourished wellbutrin were wernicke west
what when where which while whipple white who why widowed wife will wilms wilson's wisconsin with
within without woman work would wrist wyoming x-ray xanax xarelto xray year years yes yesterday yet
you your zenker zip zithromax zoloft zolpidem zosyn zyprexa
";
